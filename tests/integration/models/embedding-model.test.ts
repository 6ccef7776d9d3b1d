import { readFile } from 'node:fs/promises'
import test from 'brittle'
import {
  getLlama,
  type LlamaEmbeddingContext,
  LlamaLogLevel,
  readGgufFileInfo,
} from 'node-llama-cpp'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { ModelCache, type PreparedModel } from '../../../facilities/models/cache/model-cache.js'
import { inspectGguf } from '../../../facilities/models/gguf-inspection.js'
import {
  DEFAULT_EMBEDDING_MODEL_NAME,
  MODEL_CATALOG,
} from '../../../facilities/models/sources/catalog.js'
import { SHARED_MODELS_DIRECTORY } from '../../helpers/engine/tiny-llama.js'
import { Shared } from '../../helpers/shared.js'

const known = MODEL_CATALOG.find(({ name }) => name === DEFAULT_EMBEDDING_MODEL_NAME)

/** Made once by whoever comes first. */
async function prepareModel(directory = SHARED_MODELS_DIRECTORY): Promise<PreparedModel> {
  const cache = new ModelCache({ directory, random: new SystemRandom() })
  return await cache.prepare(DEFAULT_EMBEDDING_MODEL_NAME)
}

/** The model in llama.cpp, in this process. The last test frees it. */
const shared = new Shared(async (scope) => {
  const { path } = await prepareModel()
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error })
  scope.teardown(async () => await llama.dispose())
  const model = await llama.loadModel({ modelPath: path })
  return await model.createEmbeddingContext({ contextSize: 512, threads: 1 })
})

/** Vectors of length 1. */
async function embed(context: LlamaEmbeddingContext, text: string): Promise<readonly number[]> {
  const { vector } = await context.getEmbeddingFor(text)
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}

function similarity(left: readonly number[], right: readonly number[]): number {
  return left.reduce((sum, value, index) => sum + value * (right[index] ?? 0), 0)
}

test('should give the file of the catalogue when the installed package is converted', async (t) => {
  const model = await prepareModel(await t.tmp())
  t.is(model.sha256, known?.gguf.sha256)
  t.is((await readFile(model.path)).length, known?.gguf.sizeBytes)
  t.alike([model.kind, model.licence], ['embedding', 'Apache-2.0'])
})

test('should be understood by readers of GGUF as the catalogue describes it', async (t) => {
  const { path } = await prepareModel()
  const { metadata, tensorInfo } = await readGgufFileInfo(path)
  t.is(metadata.general.architecture, 'bert')
  t.is(metadata.tokenizer.ggml.tokens?.length, 30_522)
  t.is(tensorInfo?.length, 5 + 6 * 16)
  const { facts } = await inspectGguf(path)
  t.alike(
    [facts.isEmbedding, facts.pooling, facts.quantization, facts.contextTokens],
    [true, 'mean', known?.quantization, known?.contextTokens],
  )
})

test('should rank texts by similarity as people do', async (t) => {
  const context = await shared.get()
  const similar = async (left: string, right: string) =>
    similarity(await embed(context, left), await embed(context, right))
  const triples: [text: string, near: string, far: string][] = [
    ['cat', 'kitten', 'car'],
    ['The cat sits on the mat.', 'A kitten is lying on the rug.', 'The stock market fell sharply.'],
    ['How do I reset my password?', 'I forgot my login credentials.', 'The weather is nice today.'],
    ['Paris is the capital of France.', 'France is governed from Paris.', 'Bake it for an hour.'],
  ]
  for (const [text, near, far] of triples) {
    const difference = (await similar(text, near)) - (await similar(text, far))
    t.ok(difference > 0.2, `${text}: ${near} rather than ${far}, by ${difference.toFixed(3)}`)
  }
  const same = await similar('The cat sits on the mat.', 'THE CAT   sits on the mát.')
  t.ok(same > 0.9999, `capitals, spaces and accents do not matter: ${same}`)
})

test('should give the vectors that the published model gives', async (t) => {
  t.teardown(async () => await shared.end())
  const context = await shared.get()
  // The first numbers of what the package's own runtime (candle, single precision) gives.
  const published: [text: string, ...numbers: number[]][] = [
    ['cat', 0.0373, 0.0512, -0.0004, 0.0602, -0.1175, -0.0143],
    ['The capital of France is Paris.', 0.1032, 0.0304, 0.029, -0.0372, 0.0787, -0.0548],
    ['Ünïcödé naïve café Straße', 0.0617, 0.0032, -0.0336, -0.0074, -0.0845, 0.0146],
    [
      'for (let i = 0; i < 10; i++) total += v[i]',
      0.0022,
      0.1249,
      -0.0063,
      -0.0534,
      0.0036,
      0.0514,
    ],
  ]
  for (const [text, ...numbers] of published) {
    const vector = await embed(context, text)
    t.is(vector.length, 384)
    for (const [index, number] of numbers.entries()) {
      const difference = Math.abs((vector[index] ?? 0) - number)
      t.ok(difference < 0.001, `${text}: number ${index} differs by ${difference}`)
    }
  }
})
