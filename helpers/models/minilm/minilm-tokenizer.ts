import { z } from 'zod'
import { StarlingError } from '../../errors/starling-error.js'
import type { GgufValue } from '../gguf/gguf-value.js'
import { parseModelJson } from '../model-package.js'
import type { MinilmConfig } from './minilm-config.js'

const CLASSIFIER = '[CLS]'
const SEPARATOR = '[SEP]'
const UNKNOWN = '[UNK]'

const specialToken = (id: string) =>
  z.object({ SpecialToken: z.object({ id: z.literal(id), type_id: z.literal(0) }) })

/**
 * BERT's tokenizer for lower-case text, which adds [CLS] before and [SEP] after it. Every property that
 * defines this kind is a literal here, so that another kind is refused instead of tokenised wrongly.
 * The truncation and padding in the file are ignored.
 */
const tokenizerSchema = z.object({
  added_tokens: z.array(
    z.object({
      id: z.number().int().nonnegative(),
      content: z.string(),
      special: z.literal(true),
    }),
  ),
  normalizer: z.object({
    type: z.literal('BertNormalizer'),
    clean_text: z.literal(true),
    handle_chinese_chars: z.literal(true),
    // If left out, `lowercase` decides.
    strip_accents: z.literal([null, true]),
    lowercase: z.literal(true),
  }),
  pre_tokenizer: z.object({ type: z.literal('BertPreTokenizer') }),
  post_processor: z.object({
    type: z.literal('TemplateProcessing'),
    single: z.tuple([
      specialToken(CLASSIFIER),
      z.object({ Sequence: z.object({ id: z.literal('A'), type_id: z.literal(0) }) }),
      specialToken(SEPARATOR),
    ]),
  }),
  model: z.object({
    type: z.literal('WordPiece'),
    unk_token: z.literal(UNKNOWN),
    continuing_subword_prefix: z.literal('##'),
    vocab: z.record(z.string(), z.number().int().nonnegative()),
  }),
})

/** `llama_token_type` of llama.cpp. */
const TOKEN_TYPE = { normal: 1, control: 3 } as const

/**
 * The tokenizer as GGUF metadata.
 *
 * @param tokenizerFile tokenizer.json
 * @throws StarlingError MODEL_INVALID when the file is damaged, describes another kind of tokenizer,
 *   or leaves a token id without a token
 */
export function minilmTokenizerMetadata(
  tokenizerFile: Uint8Array,
  config: MinilmConfig,
): ReadonlyMap<string, GgufValue> {
  const { model, added_tokens } = parseModelJson('tokenizer.json', tokenizerFile, tokenizerSchema)
  const pieces = new Array<string | undefined>(config.vocabularySize).fill(undefined)
  for (const [piece, id] of Object.entries(model.vocab)) pieces[id] = piece
  if (pieces.length !== config.vocabularySize) {
    throw invalid(`has ids above the ${config.vocabularySize} of config.json`)
  }
  const special = new Map(added_tokens.map(({ id, content }) => [id, content]))
  for (const [id, content] of special) {
    if (pieces[id] !== content) throw invalid(`adds "${content}", which is not in its vocabulary`)
  }
  const tokens = pieces.map((piece, id) => {
    if (piece === undefined) throw invalid(`has no token with the id ${id}`)
    return special.has(id) ? piece : withWordStarts(piece)
  })
  const idOf = (token: string): GgufValue => {
    const id = pieces.indexOf(token)
    if (!special.has(id)) throw invalid(`has no special token ${token}`)
    return { type: 'uint32', value: id }
  }
  return new Map<string, GgufValue>([
    ['tokenizer.ggml.model', { type: 'string', value: 'bert' }],
    ['tokenizer.ggml.token_type_count', { type: 'uint32', value: config.tokenTypes }],
    ['tokenizer.ggml.tokens', { type: 'strings', value: tokens }],
    [
      'tokenizer.ggml.token_type',
      {
        type: 'int32s',
        value: tokens.map((_, id) => (special.has(id) ? TOKEN_TYPE.control : TOKEN_TYPE.normal)),
      },
    ],
    ['tokenizer.ggml.bos_token_id', idOf(CLASSIFIER)],
    ['tokenizer.ggml.cls_token_id', idOf(CLASSIFIER)],
    // The format's own spelling.
    ['tokenizer.ggml.seperator_token_id', idOf(SEPARATOR)],
    ['tokenizer.ggml.unknown_token_id', idOf(UNKNOWN)],
    ['tokenizer.ggml.padding_token_id', idOf('[PAD]')],
    ['tokenizer.ggml.mask_token_id', idOf('[MASK]')],
  ])
}

/** BERT marks the pieces that continue a word, llama.cpp those that begin one. */
function withWordStarts(piece: string): string {
  return piece.startsWith('##') ? piece.slice(2) : `\u2581${piece}`
}

function invalid(what: string): StarlingError {
  return new StarlingError('MODEL_INVALID', `tokenizer.json ${what}`)
}
