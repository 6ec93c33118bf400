/**
 * The Node.js side of the work in penstock_handlers.py: the same bytes in the same
 * writes. BENCHMARK_SCENARIO chooses; `awslambda` is what the runtime client defines.
 *
 * A write that returns false is waited for, as Node's documentation asks, so that
 * memory stays bounded.
 */
import { once } from "node:events";

const BLOCK_SIZE = 65536;
const SMALL_CHUNK = Buffer.from("sixteen bytes...");
const BLOCK = Buffer.alloc(BLOCK_SIZE, "x");

/** One small chunk: what one invocation costs. */
async function oneChunk(event, responseStream) {
  responseStream.write(SMALL_CHUNK);
  responseStream.end();
}

/** The same block over and over: what writing costs. */
async function sameBlock(event, responseStream) {
  const count = Number(process.env.BENCHMARK_BLOCKS);
  for (let i = 0; i < count; i++) {
    if (!responseStream.write(BLOCK)) await once(responseStream, "drain");
  }
  responseStream.end();
}

/** A new block for each write, as when data is produced: what memory it takes. */
async function newBlocks(event, responseStream) {
  const count = Number(process.env.BENCHMARK_BLOCKS);
  for (let i = 0; i < count; i++) {
    if (!responseStream.write(Buffer.alloc(BLOCK_SIZE, "x"))) await once(responseStream, "drain");
  }
  responseStream.end();
}

/** A small answer that is not streamed. */
async function buffered() {
  return { message: "sixteen bytes..." };
}

const HANDLERS = {
  one_chunk: awslambda.streamifyResponse(oneChunk),
  same_block: awslambda.streamifyResponse(sameBlock),
  new_blocks: awslambda.streamifyResponse(newBlocks),
  buffered,
};

export const handler = HANDLERS[process.env.BENCHMARK_SCENARIO];
