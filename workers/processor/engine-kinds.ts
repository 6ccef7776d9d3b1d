import type { Clock } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import { LlamaEngine } from '../../facilities/engine/llama/llama-engine.js'
import type { LlamaEngineOptions } from '../../facilities/engine/llama/llama-engine-options.js'
import type { EngineProgress } from '../../facilities/engine/llama/llama-messages.js'
import { OllamaEngine } from '../../facilities/engine/remote/ollama-engine.js'
import { listOllamaModels, ollamaServer } from '../../facilities/engine/remote/ollama-models.js'
import { OpenaiEngine } from '../../facilities/engine/remote/openai-engine.js'
import { listOpenaiModels, openaiServer } from '../../facilities/engine/remote/openai-models.js'
import { fileStamp } from '../../facilities/files/file-stamp.js'
import { ModelCache } from '../../facilities/models/cache/model-cache.js'
import { readModelFacts } from '../../facilities/models/model-facts.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { parseModelReference } from '../../helpers/models/model-reference.js'
import { MAX_OFFERED_MODELS, type ModelDetails } from '../../helpers/protocol/processor-protocol.js'
import { type ModelListing, ModelServerStatus } from './model-server-status.js'
import type { EngineOffer } from './pooled-model.js'

/** Which models a processor offers, and by which engines. Comes from the configuration. */
export interface EngineSettings {
  readonly engines: readonly ('llama' | 'ollama' | 'openai')[]
  /** The models that llama.cpp runs: see {@link parseModelReference}. */
  readonly models: readonly string[]
  readonly slots: number
  readonly contextTokens: number
  readonly threads: number | 'auto'
  readonly gpu: NonNullable<LlamaEngineOptions['gpu']>
  readonly gpuLayers: number | 'auto'
  readonly maxStallMs: number
  readonly hubUrl: string
  readonly hubToken?: string | undefined
  readonly ollama: ServerSettings & { readonly url: string }
  readonly openai: ServerSettings & {
    readonly url?: string | undefined
    readonly apiKey?: string | undefined
  }
}

/** If `models` is left out, all models of the server. */
interface ServerSettings {
  readonly models?: readonly string[] | undefined
}

/** What engines are made with. */
export interface EngineHost
  extends Pick<LlamaEngineOptions, 'modelsDirectory' | 'gatherMs' | 'onLog' | 'onCrash'> {
  /** Called while a model is being prepared and loaded. */
  readonly onProgress?: (progress: EngineProgress, model: string) => void
  readonly clock: Clock
  readonly random: Random
}

/** What a processor offers. */
export interface ProcessorEngines {
  readonly offers: readonly EngineOffer[]
  /** The servers that run some of the models. One that does not answer yet has none of its models here. */
  readonly servers: readonly ModelServerStatus[]
}

/**
 * The models that a processor is to offer. Nothing is loaded or fetched yet, but it is made sure that
 * each exists, where that can be checked. Servers are asked once.
 *
 * @throws StarlingError CONFIG_INVALID, MODEL_NOT_FOUND, and as {@link ModelServerStatus.check}
 */
export async function createEngines(
  settings: EngineSettings,
  host: EngineHost,
): Promise<ProcessorEngines> {
  const offers: EngineOffer[] = []
  const servers: ModelServerStatus[] = []
  for (const kind of settings.engines) {
    if (kind === 'llama') {
      offers.push(...(await llamaOffers(settings, host)))
    } else {
      const server = new ModelServerStatus(LISTINGS[kind](settings, host))
      servers.push(server)
      offers.push(...(await server.check()))
    }
  }
  const names = new Set(offers.map(({ model }) => model))
  const twice = offers.find(({ model }) => !names.delete(model))
  if (twice !== undefined) {
    throw new StarlingError(
      'CONFIG_INVALID',
      `Two models are called ${twice.model}: give one another name, as in other-name=${twice.model}`,
    )
  }
  return { offers: offers.slice(0, MAX_OFFERED_MODELS), servers }
}

const LISTINGS = { ollama: ollamaListing, openai: openaiListing }

async function llamaOffers(settings: EngineSettings, host: EngineHost): Promise<EngineOffer[]> {
  const { models, slots, hubUrl, hubToken } = settings
  const cache = new ModelCache({
    directory: host.modelsDirectory,
    random: host.random,
    clock: host.clock,
    hubUrl,
    ...(hubToken !== undefined && { hubToken }),
  })
  const offers: EngineOffer[] = []
  for (const reference of models) {
    const { name: model } = await cache.locate(reference)
    const engine = new LlamaEngine({
      ...settings,
      ...host,
      model: reference,
      name: model,
      onProgress: (progress) => host.onProgress?.(progress, model),
    })
    offers.push({ model, engine, slots, describe: () => describeFile(cache, reference) })
  }
  return offers
}

function ollamaListing(settings: EngineSettings, { clock }: EngineHost): ModelListing {
  const { url, models } = settings.ollama
  const { slots, contextTokens } = settings
  const list = async () => {
    const known = await listOllamaModels({ host: url, clock })
    // Models that send prompts to other people's machines are served only if configured.
    const names = models ?? known.filter(({ isRemote }) => !isRemote).map(({ name }) => name)
    return names.map((model) => {
      const found = known.find(({ name }) => name === model)
      const details: ModelDetails = {
        engine: 'ollama',
        ...(found && { sizeBytes: found.sizeBytes, purpose: purposeOf(found.isEmbedding) }),
        ...(found && found.quantization !== '' && { quantization: found.quantization }),
      }
      const options = { model, host: url, slots, contextTokens, clock }
      return { model, details, createEngine: () => new OllamaEngine(options) }
    })
  }
  return { title: 'the Ollama server', url: ollamaServer(url, clock).url, slots, list }
}

function openaiListing(settings: EngineSettings, { clock }: EngineHost): ModelListing {
  const { url, apiKey: key, models } = settings.openai
  const { slots } = settings
  if (url === undefined) {
    throw new StarlingError(
      'CONFIG_INVALID',
      'The engine openai needs the address of its server: --openai-url or processor.openai.url',
    )
  }
  const server = { baseUrl: url, key, clock }
  const list = async () => {
    const known = await listOpenaiModels(server)
    const names = models ?? known.map(({ name }) => name)
    return names.map((model) => {
      const found = known.find(({ name }) => name === model)
      const details: ModelDetails = {
        engine: 'openai',
        ...(found && { purpose: purposeOf(found.isEmbedding) }),
      }
      const options = { ...server, model, slots }
      return { model, details, createEngine: () => new OpenaiEngine(options) }
    })
  }
  return { title: 'the OpenAI-compatible server', url: openaiServer(server).url, slots, list }
}

/** The known properties of a model that llama.cpp runs; complete once its file exists. */
async function describeFile(cache: ModelCache, reference: string): Promise<ModelDetails> {
  const { name, path, needsPreparing, source, kind, licence } = await cache.locate(reference)
  const listed = (await cache.list()).find((model) => model.name === name)
  const facts = needsPreparing ? listed : await readModelFacts(path)
  const sizeBytes = listed?.sizeBytes ?? (await fileStamp(path))?.sizeBytes
  const quantization = facts?.quantization ?? listed?.quantization
  const purpose = facts?.kind ?? kind
  const stated = facts?.licence ?? licence
  return {
    engine: 'llama.cpp',
    ...(sizeBytes !== undefined && { sizeBytes }),
    ...(quantization != null && { quantization }),
    ...(stated != null && { licence: stated }),
    ...(purpose != null && { purpose }),
    // Paths and private addresses are not sent to other workers.
    ...(isPublicSource(reference) && { source }),
  }
}

/** Whether a model comes from the catalogue, a public hub or a package. */
function isPublicSource(reference: string): boolean {
  const { kind } = parseModelReference(reference).source
  return kind === 'catalogue' || kind === 'hub' || kind === 'package'
}

function purposeOf(isEmbedding: boolean): 'chat' | 'embedding' {
  return isEmbedding ? 'embedding' : 'chat'
}
