import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { LlamaEngine } from '../../../facilities/engine/llama/llama-engine.js'
import { SHARED_MODELS_DIRECTORY, TINY_MODEL_PATH } from './tiny-llama.js'

// A process that owns an engine and does not close it, to be killed by a test. It sends the id of the
// engine's process once the model is loaded.
const engine = new LlamaEngine({
  model: TINY_MODEL_PATH,
  modelsDirectory: SHARED_MODELS_DIRECTORY,
  clock: new SystemClock(),
  gpu: false,
})
await engine.load()
process.send?.(engine.processId)
