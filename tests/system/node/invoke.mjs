// Invoke a function and print its answer: `node invoke.mjs ENDPOINT FUNCTION [PAYLOAD]`.

import { InvokeCommand } from "@aws-sdk/client-lambda";

import { client, functionName, payload, say, sayError } from "./client.mjs";

try {
  const answer = await client.send(
    new InvokeCommand({ FunctionName: functionName, Payload: payload, LogType: "Tail" }),
  );
  say("answer", {
    status: answer.StatusCode,
    version: answer.ExecutedVersion,
    functionError: answer.FunctionError,
    log: Buffer.from(answer.LogResult, "base64").toString(),
    payload: answer.Payload.transformToString(),
    requestId: answer.$metadata.requestId,
  });
} catch (error) {
  sayError(error);
}
