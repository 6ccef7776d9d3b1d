import type { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Clock } from '../../clock/clock.js'
import type { Random } from '../../clock/random.js'
import type { EngineProgress, GpuChoice } from './llama-messages.js'

/** Options of an engine of llama.cpp. */
export interface LlamaEngineOptions {
  /** The model name in requests. Default: the name in the model cache. */
  readonly name?: string
  /** The model to load: a name that the model cache knows, or the path of a GGUF file. */
  readonly model: string
  /** Where prepared models are kept. */
  readonly modelsDirectory: string
  /** Concurrent answers. Default 4. */
  readonly slots?: number
  /**
   * Prompt and answer together, in tokens, for each slot; limited to what the model was trained for.
   * Default 2048.
   */
  readonly contextTokens?: number
  /** Threads to compute with. `auto` (the default) decides by the size of the model file. */
  readonly threads?: number | 'auto'
  /** Default `auto`: the best that works on this machine. */
  readonly gpu?: GpuChoice
  /** Layers of the model that the GPU computes. Default `auto`: as many as fit. */
  readonly gpuLayers?: number | 'auto'
  /**
   * About how long running answers may pause while another prompt is evaluated, in milliseconds: the
   * chunk size of the prompt is adapted to it. Default 50.
   */
  readonly maxStallMs?: number
  /**
   * How long a token may wait in the engine's process for others, to be sent with them, in milliseconds: the same
   * as a token waits for before it is sent to another worker. The first one of an answer never waits. Default 8.
   */
  readonly gatherMs?: number
  /** The hub that `hf:` refers to. */
  readonly hubUrl?: string | undefined
  /** Authenticates requests to the hub. */
  readonly hubToken?: string | undefined
  /** The available memory, in bytes. Default: as the system reports it. */
  readonly availableMemoryBytes?: () => number
  /** The program that runs the model in a separate process. Default: the one with llama.cpp. */
  readonly childPath?: string
  readonly clock: Clock
  /** Default: the operating system's random source. */
  readonly random?: Random
  /** Called with each line that the engine's process writes, for the debug log. */
  readonly onLog?: (line: string) => void
  /** Called while the model is being prepared and loaded. */
  readonly onProgress?: (progress: EngineProgress) => void
  /** Called when the engine's process ended unexpectedly. */
  readonly onCrash?: (error: StarlingError) => void
}
