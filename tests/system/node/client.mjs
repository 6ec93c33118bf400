// A Lambda client for the endpoint in the second argument: `node script.mjs ENDPOINT ...`.

import { LambdaClient } from "@aws-sdk/client-lambda";

export const [, , endpoint, functionName, payload] = process.argv;

export const client = new LambdaClient({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "x", secretAccessKey: "x" },
  maxAttempts: 1,
});

// One line each, written at once: a test reads them as they come.
export const say = (kind, value) => process.stdout.write(`${kind} ${JSON.stringify(value)}\n`);

export const sayError = (error) =>
  say("error", {
    name: error.name,
    message: error.message,
    reason: error.Reason,
    fault: error.$fault,
    status: error.$metadata?.httpStatusCode,
  });
