import { PARTIAL_ENDING } from '../fetch/partial-file.js'
import type { ModelFacts, ModelKind } from '../model-facts.js'
import { JOURNAL, MANIFEST, readRecord } from '../model-records.js'
import type { ModelStorage } from '../model-storage.js'
import type { ModelRecipe } from './cached-models.js'

/** A model as a list shows it. Null where nobody says it. */
export interface ListedModel extends Omit<ModelFacts, 'kind'> {
  readonly name: string
  readonly kind: ModelKind | null
  /** Where it comes from, without what may be secret in an address. */
  readonly source: string
  /** Of the whole file. */
  readonly sizeBytes: number | null
  /** Hexadecimal. */
  readonly sha256: string | null
  /** Whether its file is there, as far as its size tells. */
  readonly present: boolean
  /** How much of it is there: all, nothing, or what was fetched so far. */
  readonly presentBytes: number
}

const GGUF_ENDING = '.gguf'

/** The known models in their order, then the others of the cache by name. */
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

/** The names of the files that records speak of, whether they are there or not. */
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
