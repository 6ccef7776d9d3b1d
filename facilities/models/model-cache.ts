import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, join, resolve, sep } from 'node:path'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Random } from '../clock/random.js'
import { writeFileAtomically } from './atomic-write.js'
import {
  type CatalogModel,
  MODEL_CATALOG,
  MODEL_CONVERTERS,
  type ModelConverter,
} from './catalog.js'
import { type FileHash, hashFile } from './file-hash.js'
import { type PrepareOptions, throwIfCancelled } from './model-progress.js'
import { installedPackageFolder, readPackageFiles } from './package-files.js'

/** What a {@link ModelCache} is built from. */
export interface ModelCacheOptions {
  /** Where prepared models are kept; made when it is missing. */
  readonly directory: string
  readonly random: Random
  /** Default: {@link MODEL_CATALOG}. */
  readonly catalog?: readonly CatalogModel[]
  /** Default: {@link MODEL_CONVERTERS}. */
  readonly converters?: ReadonlyMap<string, ModelConverter>
  /** Finds the folder of an npm package. Default: {@link installedPackageFolder}. */
  readonly packageFolder?: (packageName: string) => string
}

/** Where a model is, or will be. */
export interface ModelLocation {
  /** The name that requests ask for: the catalogue's, or that of the file without its ending. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** What the file must hash to, where the catalogue says so. Hexadecimal. */
  readonly sha256?: string
  /** Whether the file must be made first. */
  readonly needsPreparing: boolean
}

/** A model file that is there, whole, and hashed. */
export interface PreparedModel {
  readonly name: string
  /** Absolute. */
  readonly path: string
  readonly sizeBytes: number
  /** Hexadecimal. */
  readonly sha256: string
}

/**
 * Gives each model, named or by path, as a GGUF file on this machine. Models of the catalogue are
 * made here once, from files that arrive with `npm install`, and kept.
 */
export class ModelCache {
  readonly #directory: string
  readonly #random: Random
  readonly #catalog: readonly CatalogModel[]
  readonly #converters: ReadonlyMap<string, ModelConverter>
  readonly #packageFolder: (packageName: string) => string

  constructor(options: ModelCacheOptions) {
    this.#directory = resolve(options.directory)
    this.#random = options.random
    this.#catalog = options.catalog ?? MODEL_CATALOG
    this.#converters = options.converters ?? MODEL_CONVERTERS
    this.#packageFolder = options.packageFolder ?? installedPackageFolder
  }

  /**
   * Where a model is. Cheap: of a file that is there only the size is looked at.
   *
   * @param nameOrPath a name of the catalogue, or the path of a .gguf file
   * @throws StarlingError MODEL_NOT_FOUND, with the names that are known
   */
  async locate(nameOrPath: string): Promise<ModelLocation> {
    const model = this.#catalog.find((known) => known.name === nameOrPath)
    if (model !== undefined) {
      const path = this.#cachedPath(model)
      return {
        name: model.name,
        path,
        sha256: model.gguf.sha256,
        needsPreparing: (await sizeOf(path)) !== model.gguf.sizeBytes,
      }
    }
    if (!nameOrPath.endsWith('.gguf') && !nameOrPath.includes(sep)) throw this.#unknown(nameOrPath)
    const path = resolve(nameOrPath)
    if ((await sizeOf(path)) === undefined) {
      throw new StarlingError('MODEL_NOT_FOUND', `there is no model file ${nameOrPath}`)
    }
    return { name: basename(path, '.gguf'), path, needsPreparing: false }
  }

  /**
   * Makes sure that a model is there and whole. A file of the catalogue that is there already is
   * hashed, and made again when it is damaged (a progress event with a note says so); one given by
   * path is hashed, so that the engine can say what it runs.
   *
   * Converting blocks the process for a moment (minimind2-small: some 0.3 s).
   *
   * @param nameOrPath a name of the catalogue, or the path of a .gguf file
   * @throws StarlingError MODEL_NOT_FOUND (unknown, or its npm package is not installed),
   *   MODEL_INVALID (a source file or the result is not what the catalogue says, or the file given
   *   is no GGUF file), MODEL_WRITE_FAILED (no room, no permission), CANCELLED
   */
  async prepare(nameOrPath: string, options: PrepareOptions = {}): Promise<PreparedModel> {
    const location = await this.locate(nameOrPath)
    const model = this.#catalog.find((known) => known.name === nameOrPath)
    const hash =
      model === undefined
        ? await hashGivenFile(location.path, options)
        : await this.#prepareKnown(model, location.path, options)
    options.onProgress?.({ phase: 'ready', fraction: 1 })
    return { name: location.name, path: location.path, ...hash }
  }

  async #prepareKnown(
    model: CatalogModel,
    path: string,
    options: PrepareOptions,
  ): Promise<{ sizeBytes: number; sha256: string }> {
    if (await isWhole(model, path, options)) return model.gguf
    const files = await readPackageFiles(model, this.#packageFolder, options)
    throwIfCancelled(options.signal)
    options.onProgress?.({ phase: 'converting', fraction: 0 })
    const gguf = this.#convert(model, files)
    options.onProgress?.({ phase: 'converting', fraction: 1 })
    try {
      await writeFileAtomically(path, gguf, this.#random, options)
    } catch (cause) {
      if (cause instanceof StarlingError) throw cause
      throw new StarlingError(
        'MODEL_WRITE_FAILED',
        `the model ${model.name} cannot be written to ${this.#directory} ` +
          `(${Math.ceil(model.gguf.sizeBytes / 1e6)} MB): ${reasonOf(cause)}`,
        { cause },
      )
    }
    return model.gguf
  }

  #convert(model: CatalogModel, files: ReadonlyMap<string, Uint8Array>): Uint8Array {
    const convert = this.#converters.get(model.converter)
    if (convert === undefined) {
      throw new StarlingError(
        'MODEL_INVALID',
        `the catalogue names a conversion "${model.converter}" for ${model.name} that does not exist`,
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
    return gguf
  }

  /** Part of the hash is in the name: versions of Starling that share a home do not fight. */
  #cachedPath(model: CatalogModel): string {
    return join(this.#directory, `${model.name}-${model.gguf.sha256.slice(0, 12)}.gguf`)
  }

  #unknown(name: string): StarlingError {
    const known = this.#catalog.map((model) => model.name).join(', ')
    return new StarlingError(
      'MODEL_NOT_FOUND',
      `there is no model "${name}": known are ${known}, or give the path of a .gguf file`,
    )
  }
}

/** Whether the prepared file is there and is what it should be; says so when it is damaged. */
async function isWhole(
  model: CatalogModel,
  path: string,
  options: PrepareOptions,
): Promise<boolean> {
  const sizeBytes = await sizeOf(path)
  if (sizeBytes === undefined) return false
  let wrong: string
  if (sizeBytes !== model.gguf.sizeBytes) {
    wrong = `has ${sizeBytes} bytes instead of ${model.gguf.sizeBytes}`
  } else {
    try {
      if ((await hashFile(path, options)).sha256 === model.gguf.sha256) return true
      wrong = 'does not have the right SHA-256'
    } catch (error) {
      if (error instanceof StarlingError) throw error
      wrong = `cannot be read (${reasonOf(error)})`
    }
  }
  options.onProgress?.({
    phase: 'verifying',
    fraction: 1,
    note: `the prepared file of ${model.name} ${wrong}: it is made again`,
  })
  return false
}

async function hashGivenFile(
  path: string,
  options: PrepareOptions,
): Promise<{ sizeBytes: number; sha256: string }> {
  let hash: FileHash
  try {
    hash = await hashFile(path, options)
  } catch (cause) {
    if (cause instanceof StarlingError) throw cause
    throw new StarlingError('MODEL_INVALID', `${path} cannot be read: ${reasonOf(cause)}`, {
      cause,
    })
  }
  if (!hash.isGguf) throw new StarlingError('MODEL_INVALID', `${path} is no GGUF file`)
  return { sizeBytes: hash.sizeBytes, sha256: hash.sha256 }
}

/** In bytes; undefined when there is no such file. Other failures show when the file is used. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path)
    return found.isFile() ? found.size : undefined
  } catch {
    // Missing, or in a folder that cannot be entered: not usable either way.
    return undefined
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
