// Invoke a function and print each event when it comes: `node stream.mjs ENDPOINT FUNCTION`.

import { InvokeWithResponseStreamCommand } from "@aws-sdk/client-lambda";

import { client, functionName, payload, say, sayError } from "./client.mjs";

try {
  const answer = await client.send(
    new InvokeWithResponseStreamCommand({
      FunctionName: functionName,
      Payload: payload,
      LogType: "Tail",
    }),
  );
  say("head", {
    status: answer.StatusCode,
    version: answer.ExecutedVersion,
    contentType: answer.ResponseStreamContentType,
  });
  for await (const event of answer.EventStream) {
    if (event.PayloadChunk) {
      say("chunk", Buffer.from(event.PayloadChunk.Payload).toString());
    } else if (event.InvokeComplete) {
      const { LogResult, ...fields } = event.InvokeComplete;
      say("complete", { ...fields, log: Buffer.from(LogResult, "base64").toString() });
    }
  }
  say("end", null);
} catch (error) {
  sayError(error);
}
