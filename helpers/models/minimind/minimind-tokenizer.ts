import { z } from 'zod'
import { StarlingError } from '../../errors/starling-error.js'
import type { GgufValue } from '../gguf/gguf-value.js'
import { parseModelJson } from '../model-package.js'
import type { MinimindConfig } from './minimind-config.js'

/**
 * A byte-level BPE tokenizer that splits by the regular expression of GPT-2 and does not normalise
 * text. Every property that defines this kind is a literal here, so that another kind is refused
 * instead of tokenised wrongly.
 */
const tokenizerSchema = z.object({
  added_tokens: z.array(
    z.object({ id: z.number().int().nonnegative(), content: z.string(), special: z.boolean() }),
  ),
  normalizer: z.null(),
  pre_tokenizer: z.object({
    type: z.literal('ByteLevel'),
    add_prefix_space: z.literal(false),
    use_regex: z.literal(true),
  }),
  post_processor: z.null(),
  model: z.object({
    type: z.literal('BPE'),
    continuing_subword_prefix: z.null(),
    end_of_word_suffix: z.null(),
    byte_fallback: z.literal(false),
    ignore_merges: z.literal(false),
    vocab: z.record(z.string(), z.number().int().nonnegative()),
    merges: z.array(z.tuple([z.string(), z.string()])),
  }),
})

const tokenizerConfigSchema = z.object({
  add_bos_token: z.literal(false),
  add_eos_token: z.literal(false),
  clean_up_tokenization_spaces: z.literal(false),
  pad_token: z.string(),
  unk_token: z.string(),
  chat_template: z.string().min(1),
})

/**
 * llama.cpp's name of this kind. It knows GPT-2's regular expression by several names; under `gpt-2`
 * itself it also removes spaces before punctuation when it decodes several tokens at once, so that an
 * answer would depend on how it was cut into pieces. Under this name it does not, as
 * tokenizer_config.json requires (clean_up_tokenization_spaces).
 */
const LLAMA_PRE_TOKENIZER = 'trillion'

/** `llama_token_type` of llama.cpp. */
const TOKEN_TYPE = { normal: 1, control: 3, userDefined: 4 } as const

/**
 * The tokenizer and the chat template as GGUF metadata.
 *
 * @param tokenizerFile tokenizer.json
 * @param tokenizerConfigFile tokenizer_config.json
 * @throws StarlingError MODEL_INVALID when a file is damaged, describes another kind of tokenizer,
 *   or leaves a token id without a token
 */
export function minimindTokenizerMetadata(
  tokenizerFile: Uint8Array,
  tokenizerConfigFile: Uint8Array,
  config: MinimindConfig,
): ReadonlyMap<string, GgufValue> {
  const tokenizer = parseModelJson('tokenizer.json', tokenizerFile, tokenizerSchema)
  const settings = parseModelJson(
    'tokenizer_config.json',
    tokenizerConfigFile,
    tokenizerConfigSchema,
  )
  const tokens = new Array<string | undefined>(config.vocabularySize).fill(undefined)
  const types = new Array<number>(config.vocabularySize).fill(TOKEN_TYPE.normal)
  for (const [token, id] of Object.entries(tokenizer.model.vocab)) tokens[id] = token
  for (const added of tokenizer.added_tokens) {
    tokens[added.id] = added.content
    types[added.id] = added.special ? TOKEN_TYPE.control : TOKEN_TYPE.userDefined
  }
  if (tokens.length !== config.vocabularySize) {
    throw invalid(`tokenizer.json has ids above the ${config.vocabularySize} of config.json`)
  }
  const vocabulary = tokens.map((token, id) => {
    if (token === undefined) throw invalid(`tokenizer.json has no token with the id ${id}`)
    return token
  })
  const idOf = (token: string): number => {
    const id = vocabulary.indexOf(token)
    if (id < 0) throw invalid(`tokenizer_config.json names a token "${token}" that does not exist`)
    return id
  }
  return new Map<string, GgufValue>([
    ['tokenizer.ggml.model', { type: 'string', value: 'gpt2' }],
    ['tokenizer.ggml.pre', { type: 'string', value: LLAMA_PRE_TOKENIZER }],
    ['tokenizer.ggml.tokens', { type: 'strings', value: vocabulary }],
    ['tokenizer.ggml.token_type', { type: 'int32s', value: types }],
    [
      'tokenizer.ggml.merges',
      { type: 'strings', value: tokenizer.model.merges.map((pair) => pair.join(' ')) },
    ],
    ['tokenizer.ggml.bos_token_id', { type: 'uint32', value: config.beginTokenId }],
    ['tokenizer.ggml.eos_token_id', { type: 'uint32', value: config.endTokenId }],
    ['tokenizer.ggml.unknown_token_id', { type: 'uint32', value: idOf(settings.unk_token) }],
    ['tokenizer.ggml.padding_token_id', { type: 'uint32', value: idOf(settings.pad_token) }],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: false }],
    ['tokenizer.ggml.add_eos_token', { type: 'bool', value: false }],
    ['tokenizer.chat_template', { type: 'string', value: settings.chat_template }],
  ])
}

function invalid(message: string): StarlingError {
  return new StarlingError('MODEL_INVALID', message)
}
