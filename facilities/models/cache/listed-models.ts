import { PARTIAL_ENDING } from '../fetch/partial-file.js'
import type { ModelFacts, ModelKind } from '../model-facts.js'
import { JOURNAL, MANIFEST, readRecord } from '../model-records.js'
import type { ModelStorage } from '../model-storage.js'
import type { ModelRecipe } from './model-file-store.js'

/** A model in a list. Unknown values are null. */
export interface ListedModel extends Omit<ModelFacts, 'kind'> {
  readonly name: string
  readonly kind: ModelKind | null
  /** The origin, without the secret parts of a URL. */
  readonly source: string
  /** The size of the whole file. */
  readonly sizeBytes: number | null
  /** Hexadecimal. */
  readonly sha256: string | null
  /** Whether its file exists with the expected size. */
  readonly present: boolean
  /** How much of the file exists. */
  readonly presentBytes: number
}

const GGUF_ENDING = '.gguf'

/** The given models in their order, then the others in the cache by name. */
export async function listModels(
  storage: ModelStorage,
  known: readonly ModelRecipe[],
): Promise<ListedModel[]> {
  const listed: ListedModel[] = []
  for (const recipe of known) listed.push(await fromRecipe(storage, recipe))
  const knownFiles = new Set(known.map(({ fileName }) => fileName))
  const others: ListedModel[] = []
  for (const fileName of await fetchedFiles(storage)) {
    if (knownFiles.has(fileName)) continue
    const model = (await fromManifest(storage, fileName)) ?? (await fromJournal(storage, fileName))
    if (model !== undefined) others.push(model)
  }
  return [...listed, ...others.sort((left, right) => (left.name < right.name ? -1 : 1))]
}

/** The names of all files that have a record, whether they exist or not. */
async function fetchedFiles(storage: ModelStorage): Promise<ReadonlySet<string>> {
  const files = new Set<string>()
  for (const { name } of await storage.list()) {
    for (const { ending } of [JOURNAL, MANIFEST]) {
      const file = name.slice(0, -ending.length)
      if (name.endsWith(ending) && file.endsWith(GGUF_ENDING)) files.add(file)
    }
  }
  return files
}

async function fromRecipe(storage: ModelStorage, recipe: ModelRecipe): Promise<ListedModel> {
  const { name, source, fileName, sizeBytes = null, sha256 = null, facts } = recipe
  const presentBytes = (await storage.entry(fileName))?.sizeBytes ?? 0
  const present = presentBytes === sizeBytes
  return { name, source, ...(facts ?? NO_FACTS), sizeBytes, sha256, present, presentBytes }
}

async function fromManifest(
  storage: ModelStorage,
  fileName: string,
): Promise<ListedModel | undefined> {
  const manifest = await readRecord(storage, fileName, MANIFEST)
  if (manifest === undefined) return undefined
  const { name, source, kind, licence, quantization, contextTokens, sha256, file } = manifest
  const facts = { kind, licence, quantization, contextTokens }
  const { sizeBytes } = file
  const presentBytes = (await storage.entry(fileName))?.sizeBytes ?? 0
  const present = presentBytes === sizeBytes
  return { name, source, ...facts, sizeBytes, sha256, present, presentBytes }
}

async function fromJournal(
  storage: ModelStorage,
  fileName: string,
): Promise<ListedModel | undefined> {
  const journal = await readRecord(storage, fileName, JOURNAL)
  if (journal === undefined) return undefined
  const { name, source, sha256, totalBytes: sizeBytes } = journal
  const presentBytes = (await storage.entry(fileName + PARTIAL_ENDING))?.sizeBytes ?? 0
  return { name, source, ...NO_FACTS, sizeBytes, sha256, present: false, presentBytes }
}

const NO_FACTS = { kind: null, licence: null, quantization: null, contextTokens: null } as const
