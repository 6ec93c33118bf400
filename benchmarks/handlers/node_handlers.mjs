/**
 * The Node.js side of the work in penstock_handlers.py and buffered_handlers.py: the same
 * bytes in the same writes. BENCHMARK_SCENARIO chooses; `awslambda` is what the runtime
 * client defines.
 *
 * A write that returns false is waited for, as Node's documentation asks, so that
 * memory stays bounded.
 */
import { once } from "node:events";
import { setImmediate as turnOfTheLoop } from "node:timers/promises";

const COUNT = Number(process.env.BENCHMARK_CHUNKS);
const SIZE = Number(process.env.BENCHMARK_CHUNK_SIZE);
const CHUNK = Buffer.alloc(SIZE, "x");
const TEXT = "x".repeat(SIZE);

/**
 * The same chunk over and over: what writing costs, or, if it is one, an invocation.
 * Small chunks are all written in one turn of the event loop.
 */
async function write(event, responseStream) {
  for (let i = 0; i < COUNT; i++) {
    if (!responseStream.write(CHUNK)) await once(responseStream, "drain");
  }
  responseStream.end();
}

/** A new chunk for each write, as when data is produced: what memory it takes. */
async function produce(event, responseStream) {
  for (let i = 0; i < COUNT; i++) {
    if (!responseStream.write(Buffer.alloc(SIZE, "x"))) await once(responseStream, "drain");
  }
  responseStream.end();
}

/** A turn of the event loop behind each chunk, as when each comes from elsewhere. */
async function turns(event, responseStream) {
  for (let i = 0; i < COUNT; i++) {
    if (!responseStream.write(CHUNK)) await once(responseStream, "drain");
    await turnOfTheLoop();
  }
  responseStream.end();
}

/** A small answer that is not streamed. */
async function message() {
  return { message: TEXT };
}

/** A long answer that is not streamed. */
async function text() {
  return TEXT;
}

const HANDLERS = {
  write: awslambda.streamifyResponse(write),
  produce: awslambda.streamifyResponse(produce),
  burst: awslambda.streamifyResponse(write),
  turns: awslambda.streamifyResponse(turns),
  message,
  text,
};

export const handler = HANDLERS[process.env.BENCHMARK_SCENARIO];
