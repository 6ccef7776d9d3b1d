import type { Clock } from '../../facilities/clock/clock.js'
import { Deadline } from '../../facilities/clock/deadline.js'
import {
  listOllamaModels,
  ollamaAddress,
  ollamaServer,
} from '../../facilities/engine/remote/ollama-models.js'
import { DEFAULT_MODEL_NAME } from '../../facilities/models/sources/catalog.js'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import type { EngineSettings } from './engine-kinds.js'

/**
 * How long an Ollama server on this machine may take to list its models: a running one takes
 * milliseconds.
 */
const FIND_TIMEOUT_MS = 1_000

/** Models that are named in a notice. */
const SHOWN_MODELS = 3

/** How to get a useful model. */
const USEFUL_MODEL =
  '--model hf:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf (about 640 MB, downloaded once), ' +
  'or start Ollama with a model, which is then found'

/** The configuration of models and engines; what it leaves out is decided here. */
export type ChoiceSettings = Omit<EngineSettings, 'engines' | 'models' | 'ollama'> & {
  readonly engines?: EngineSettings['engines'] | undefined
  readonly models?: readonly string[] | undefined
  /** Whether to look for an Ollama server if neither engines nor models are set. */
  readonly findOllama: boolean
  readonly ollama: Omit<EngineSettings['ollama'], 'url'> & { readonly url?: string | undefined }
}

/** The result. */
export type ChosenEngines = Pick<EngineSettings, 'engines' | 'models' | 'ollama'>

/** What {@link chooseEngines} needs besides the configuration. */
export interface ChoiceOptions {
  readonly clock: Clock
  /** The variable `OLLAMA_HOST`. */
  readonly ollamaHost: string | undefined
  /** Called with notices about the choice for the user. */
  readonly onNotice: (text: string) => void
  /** Default: {@link listOllamaModels}. */
  readonly listModels?: typeof listOllamaModels
}

/**
 * Decides which engines a processor uses. If neither models nor engines are configured, the models of an
 * Ollama server on this machine come first, if there is one, and the default model is offered behind them.
 */
export async function chooseEngines<Settings extends ChoiceSettings>(
  settings: Settings,
  options: ChoiceOptions,
): Promise<Settings & ChosenEngines> {
  const { engines, models, findOllama } = settings
  const url = settings.ollama.url ?? ollamaAddress(options.ollamaHost)
  const ollama = { ...settings.ollama, url }
  const chosen = { ...settings, models: models ?? [DEFAULT_MODEL_NAME], ollama }
  if (engines !== undefined) return { ...chosen, engines }
  if (models !== undefined) return { ...chosen, engines: ['llama'] }

  const names = findOllama ? await ollamaModelsAt(url, options) : []
  if (names.length > 0) {
    const listed = names.slice(0, SHOWN_MODELS).join(', ')
    const rest = names.length > SHOWN_MODELS ? ` and ${names.length - SHOWN_MODELS} more` : ''
    options.onNotice(
      `Serving the models of Ollama at ${ollamaServer(url, options.clock).url}: ${listed}${rest}. ` +
        'To leave them out, name a model with --model.',
    )
    return { ...chosen, engines: ['ollama', 'llama'] }
  }
  options.onNotice(
    `${DEFAULT_MODEL_NAME} is a toy: most of its answers are wrong. ` +
      `For a useful model: ${USEFUL_MODEL}.`,
  )
  return { ...chosen, engines: ['llama'] }
}

/** The models that answer at an Ollama server; none if there is no such server. */
async function ollamaModelsAt(
  host: string,
  { clock, listModels = listOllamaModels }: ChoiceOptions,
): Promise<string[]> {
  const deadline = new Deadline(clock, FIND_TIMEOUT_MS)
  try {
    const models = await deadline.race(listModels({ host, clock, signal: deadline.signal }))
    return models.flatMap(({ name, isEmbedding, isRemote }) =>
      isEmbedding || isRemote ? [] : [name],
    )
  } catch (error) {
    if (!isStarlingError(error)) throw error
    // This server was not configured. If it fails in any way, it is not used.
    return []
  } finally {
    deadline.dispose()
  }
}
