import { join } from 'node:path'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Clock } from '../../clock/clock.js'
import type { Random } from '../../clock/random.js'
import { FileLock } from '../../files/file-lock.js'
import { fileStamp, isSameFile } from '../../files/file-stamp.js'
import type { InspectedModel } from '../gguf-inspection.js'
import { type ModelFacts, readModelFacts } from '../model-facts.js'
import { type PrepareOptions, throwIfCancelled } from '../model-progress.js'
import { MANIFEST, type ModelManifest, readRecord, writeRecord } from '../model-records.js'
import { type ModelStorage, withWriteErrors } from '../model-storage.js'
import { recordFileName } from './cache-file-names.js'
import { DiskModelStorage } from './disk-model-storage.js'
import { checkFile, type FileCheck, type FileExpectation } from './model-file-check.js'

/** How the file of a model is created, and its expected properties. */
export interface ModelRecipe {
  readonly name: string
  /** The origin, for messages. */
  readonly source: string
  /** In the folder of the cache. */
  readonly fileName: string
  readonly sizeBytes?: number | undefined
  readonly sha256?: string | undefined
  /** Properties that are known in advance; otherwise the header is read. */
  readonly facts?: ModelFacts | undefined
  /** Writes the whole file durably to the storage. The caller holds the lock of the file. */
  readonly make: (
    storage: ModelStorage,
    options: PrepareOptions,
  ) => Promise<{ readonly sizeBytes: number; readonly sha256: string }>
}

/** A model whose file is not in the cache. */
export interface ElsewhereModel {
  readonly name: string
  readonly source: string
  /** Absolute. */
  readonly path: string
  /** The expected hash, if any. */
  readonly sha256?: string | undefined
}

/** The parts of a {@link ModelFileStore}. */
export interface ModelFileStoreOptions {
  /** Absolute. */
  readonly directory: string
  readonly clock: Clock
  readonly random: Random
  /** Files of this size and more are not hashed at every load. */
  readonly alwaysHashedBytes: number
  /** Reads the headers of files. */
  readonly inspect: ((path: string) => Promise<InspectedModel>) | undefined
}

/**
 * The model files in one folder, each with a manifest. Processes may share the folder: one of them creates a
 * file, and the others wait.
 */
export class ModelFileStore {
  readonly storage: ModelStorage
  readonly #directory: string
  readonly #clock: Clock
  readonly #random: Random
  readonly #alwaysHashedBytes: number
  readonly #inspect: ModelFileStoreOptions['inspect']

  constructor({ directory, clock, random, alwaysHashedBytes, inspect }: ModelFileStoreOptions) {
    this.storage = new DiskModelStorage(directory)
    this.#directory = directory
    this.#clock = clock
    this.#random = random
    this.#alwaysHashedBytes = alwaysHashedBytes
    this.#inspect = inspect
  }

  /** The absolute path of a file of the folder. */
  path(fileName: string): string {
    return join(this.#directory, fileName)
  }

  /**
   * Creates the file of a model unless it exists and is as expected. A damaged file is created again, and a
   * progress event with a note reports it.
   *
   * @throws StarlingError of `make`; MODEL_WRITE_FAILED, CANCELLED
   */
  async ensure(recipe: ModelRecipe, options: PrepareOptions): Promise<ModelManifest> {
    const found = await this.#checkCached(recipe, options)
    if (found.state === 'whole') return await this.#remember(recipe, found, options)
    if (found.state === 'damaged') {
      const note = `the prepared file of ${recipe.name} ${found.why}; it is prepared again`
      options.onProgress?.({ phase: 'verifying', fraction: 1, note })
    }
    const lock = await this.#lock(recipe, options)
    try {
      // The previous holder of the lock may have created it.
      if (!isSameFile(found.stamp, await fileStamp(this.path(recipe.fileName)))) {
        const meanwhile = await this.#checkCached(recipe, options)
        if (meanwhile.state === 'whole') return await this.#remember(recipe, meanwhile, options)
      }
      return await this.#make(recipe, options)
    } finally {
      await lock.release()
    }
  }

  /**
   * Checks and describes a file outside of the folder. The manifest of a large one is kept in the folder.
   *
   * @returns undefined if there is no such file
   * @throws StarlingError MODEL_INVALID if it is not a GGUF file or has another hash than expected; CANCELLED
   */
  async examine(
    { name, source, path, sha256 }: ElsewhereModel,
    options: PrepareOptions,
  ): Promise<ModelManifest | undefined> {
    const fileName = recordFileName(path)
    const check = await this.#check({ path, fileName, sha256 }, options)
    if (check.state === 'absent') return undefined
    if (check.state === 'damaged') throw new StarlingError('MODEL_INVALID', `${path} ${check.why}`)
    const manifest = await this.#describe({ name, source, fileName }, path, check)
    if (check.stamp.sizeBytes >= this.#alwaysHashedBytes) {
      await this.#keep(fileName, manifest, options)
    }
    return manifest
  }

  async #remember(
    recipe: ModelRecipe,
    check: FileCheck & { state: 'whole' },
    options: PrepareOptions,
  ): Promise<ModelManifest> {
    const manifest = await this.#describe(recipe, this.path(recipe.fileName), check)
    await this.#keep(recipe.fileName, manifest, options)
    return manifest
  }

  async #describe(
    recipe: Pick<ModelRecipe, 'name' | 'source' | 'fileName' | 'facts'>,
    path: string,
    { sha256, stamp, hashedAt }: FileCheck & { state: 'whole' },
  ): Promise<ModelManifest> {
    const before = await readRecord(this.storage, recipe.fileName, MANIFEST)
    const known = before?.sha256 === sha256 && isSameFile(before.file, stamp) ? before : undefined
    // A header that could not be read before is read again: this version of Starling may support it.
    const isUnderstood = known !== undefined && known.contextTokens !== null
    const facts = recipe.facts ?? (isUnderstood ? known : await readModelFacts(path, this.#inspect))
    const { kind, licence, quantization, contextTokens } = facts
    const nowMs = this.#clock.now()
    // The time of the last hash does not matter if the file is hashed at every load.
    const isSmall = stamp.sizeBytes < this.#alwaysHashedBytes
    return {
      version: 1,
      name: recipe.name,
      source: recipe.source,
      kind,
      licence,
      quantization,
      contextTokens,
      sha256,
      preparedAt: known?.preparedAt ?? nowMs,
      verifiedAt: isSmall && known ? known.verifiedAt : (hashedAt ?? known?.verifiedAt ?? 0),
      file: stamp,
    }
  }

  /** Without expected properties, a file of the cache is compared with its manifest. */
  async #checkCached(recipe: ModelRecipe, options: PrepareOptions): Promise<FileCheck> {
    const { fileName } = recipe
    const manifest = await readRecord(this.storage, fileName, MANIFEST)
    const sizeBytes = recipe.sizeBytes ?? manifest?.file.sizeBytes
    const sha256 = recipe.sha256 ?? manifest?.sha256
    return await this.#check({ path: this.path(fileName), fileName, sizeBytes, sha256 }, options)
  }

  async #check(
    expected: Pick<FileExpectation, 'path' | 'sizeBytes' | 'sha256'> & { fileName: string },
    options: PrepareOptions,
  ): Promise<FileCheck> {
    const manifest = await readRecord(this.storage, expected.fileName, MANIFEST)
    const nowMs = this.#clock.now()
    const alwaysHashedBytes = this.#alwaysHashedBytes
    return await checkFile({ ...expected, manifest, nowMs, alwaysHashedBytes }, options)
  }

  async #lock(recipe: ModelRecipe, options: PrepareOptions): Promise<FileLock> {
    const { name, fileName, sizeBytes } = recipe
    const { signal, onProgress } = options
    const note = `another process is preparing ${name}`
    return await withWriteErrors(name, this.#directory, sizeBytes, async () => {
      await this.storage.prepare()
      try {
        return await FileLock.take(this.path(`.${fileName}.lock`), {
          clock: this.#clock,
          signal,
          onWait: () => onProgress?.({ phase: 'waiting', fraction: 0, note }),
        })
      } catch (error) {
        throwIfCancelled(signal)
        throw error
      }
    })
  }

  async #make(recipe: ModelRecipe, options: PrepareOptions): Promise<ModelManifest> {
    const { sha256 } = await recipe.make(this.storage, options)
    const stamp = await fileStamp(this.path(recipe.fileName))
    if (stamp === undefined) {
      const { name } = recipe
      throw new StarlingError(
        'MODEL_WRITE_FAILED',
        `the file of ${name} was removed right after it was written`,
      )
    }
    const hashedAt = this.#clock.now()
    return await this.#remember(recipe, { state: 'whole', stamp, sha256, hashedAt }, options)
  }

  async #keep(fileName: string, manifest: ModelManifest, options: PrepareOptions): Promise<void> {
    const before = await readRecord(this.storage, fileName, MANIFEST)
    if (JSON.stringify(before) === JSON.stringify(manifest)) return
    try {
      await writeRecord(this.storage, fileName, MANIFEST, manifest, this.#random)
    } catch (error) {
      // The model can still be used; the next load hashes it again.
      const reason = error instanceof Error ? error.message : String(error)
      const note = `the manifest of ${manifest.name} cannot be written: ${reason}`
      options.onProgress?.({ phase: 'verifying', fraction: 1, note })
    }
  }
}
