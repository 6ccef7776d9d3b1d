import type { StreamAnswer } from '../../../facilities/network/calls/stream-answer.js'
import { EncodedChunk } from '../../../helpers/protocol/chunk-codec.js'
import type { AnswerHead, GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import { type TokenPosition, tokenChunks } from '../../../helpers/protocol/token-chunk.js'

/** An answer whose chunks a generator makes. It begins when the first of them is made, or the end. */
export function answerFrom<Item, End, Head>(
  chunks: AsyncGenerator<Item, End, void>,
  head: Head,
): StreamAnswer<Item, End, Head> {
  let first: Promise<IteratorResult<Item, End>> | undefined
  let isFirstTaken = false
  const begin = () => {
    first ??= chunks.next()
    return first
  }
  return {
    head: async () => {
      await begin()
      return head
    },
    next: () => {
      if (isFirstTaken) return chunks.next()
      isFirstTaken = true
      return begin()
    },
    return: (end) => chunks.return(end),
    throw: (error) => chunks.throw(error),
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

/** An answer that another one makes as soon as it is read. */
export function lateAnswer<Item, End, Head>(
  open: () => Promise<StreamAnswer<Item, End, Head>>,
): StreamAnswer<Item, End, Head> {
  let opened: Promise<StreamAnswer<Item, End, Head>> | undefined
  const answer = () => {
    opened ??= open()
    return opened
  }
  return {
    head: async () => (await answer()).head(),
    next: async () => (await answer()).next(),
    return: async (end) => (await answer()).return(end),
    throw: async (error) => (await answer()).throw(error),
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

/** The handler of a method with a head, from one that makes the chunks only. The head comes with the first of them. */
export function withHead<Request, Context, Chunk, End, Head>(
  head: Head,
  handler: (request: Request, context: Context) => AsyncGenerator<Chunk, End, void>,
): (
  request: Request,
  context: Context,
) => Promise<{ head: Head; chunks: AsyncGenerator<Chunk, End, void> }> {
  return async (request, context) => {
    const answer = answerFrom(handler(request, context), head)
    return { head: await answer.head(), chunks: answer }
  }
}

/** The answer of a processor, as a gateway reads it. */
export function generatedAnswer(
  tokens: AsyncGenerator<Token, GenerationEnd, void>,
): StreamAnswer<EncodedChunk<TokenPosition>, GenerationEnd, AnswerHead> {
  return answerFrom(encoded(tokens), {})
}

/** The answer of a processor that fails after so many tokens. */
export function failingAnswer(count: number, error: Error): ReturnType<typeof generatedAnswer> {
  return generatedAnswer(
    (async function* () {
      for (let index = 0; index < count; index += 1) yield { text: 'x', tokenId: 0, index }
      throw error
    })(),
  )
}

async function* encoded(
  tokens: AsyncGenerator<Token, GenerationEnd, void>,
): AsyncGenerator<EncodedChunk<TokenPosition>, GenerationEnd, void> {
  for (;;) {
    const step = await tokens.next()
    if (step.done) return step.value
    const bytes = tokenChunks.encode([step.value])
    yield new EncodedChunk(bytes, tokenChunks.inspect(bytes))
  }
}
