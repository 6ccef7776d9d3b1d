import type { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Clock } from '../../clock/clock.js'
import type { Random } from '../../clock/random.js'
import type { EngineProgress, GpuChoice } from './llama-messages.js'

/** How an engine of llama.cpp is set up. */
export interface LlamaEngineOptions {
  /** The name that requests ask for. Default: what the model cache calls the model. */
  readonly name?: string
  /** What is loaded: a name that the model cache knows, or the path of a GGUF file. */
  readonly model: string
  /** Where prepared models are kept. */
  readonly modelsDirectory: string
  /** Answers side by side. Default 4. */
  readonly slots?: number
  /**
   * Prompt and answer together, in tokens, for each slot. At most what the model was trained for
   * is used. Default 2048.
   */
  readonly contextTokens?: number
  /** Threads to compute with. `auto` (the default) decides by the size of the model file. */
  readonly threads?: number | 'auto'
  /** Default `auto`: the best that works on this machine. */
  readonly gpu?: GpuChoice
  /** Layers of the model that the GPU takes. Default `auto`: as many as fit. */
  readonly gpuLayers?: number | 'auto'
  /**
   * How long the answers that run may stand still while another's prompt is read, in milliseconds:
   * about, because it is the pieces of the prompt that are cut to fit. Default 50.
   */
  readonly maxStallMs?: number
  /** The hub that `hf:` leads to. */
  readonly hubUrl?: string | undefined
  /** Authenticates requests to the hub. */
  readonly hubToken?: string | undefined
  /** How much memory there is to take, in bytes. Default: what the system says is available. */
  readonly availableMemoryBytes?: () => number
  /** The program that runs the model, in a process of its own. Default: the one with llama.cpp. */
  readonly childPath?: string
  readonly clock: Clock
  /** Default: the operating system's random source. */
  readonly random?: Random
  /** Called with what the engine's process writes, a line at a time: for the debug log. */
  readonly onLog?: (line: string) => void
  /** Called while the model is being prepared and loaded. */
  readonly onProgress?: (progress: EngineProgress) => void
  /** Called when the engine's process ended unexpectedly. */
  readonly onCrash?: (error: StarlingError) => void
}
