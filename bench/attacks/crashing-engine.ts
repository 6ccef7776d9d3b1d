/**
 * Loaded into processors before their entry. An engine that is asked {@link CRASH_PROMPT} has its process
 * killed as soon as it answers, as a bug in native code would.
 */
import { LlamaEngine } from '../../facilities/engine/llama/llama-engine.js'
import { CRASH_PROMPT } from './crash-prompt.js'

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
