/**
 * Loaded into processors before their entry. Kills the engine process at the first token of its answer to
 * {@link CRASH_PROMPT}, like a bug in native code.
 */
import { LlamaEngine } from '../../facilities/engine/llama/llama-engine.js'
import { CRASH_PROMPT } from './attack.js'

const { generate } = LlamaEngine.prototype

LlamaEngine.prototype.generate = async function* generateOrCrash(request, signal) {
  const answer = generate.call(this, request, signal)
  const isCrash = request.messages.at(-1)?.content === CRASH_PROMPT
  if (!isCrash) return yield* answer
  const first = await answer.next()
  if (first.done) return first.value
  if (this.processId !== null) process.kill(this.processId, 'SIGKILL')
  yield first.value
  return yield* answer
}
