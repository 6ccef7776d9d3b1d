import { encodeGguf } from '../gguf/gguf-file.js'
import type { GgufValue } from '../gguf/gguf-value.js'
import { fileNamed, type PackageFiles } from '../model-package.js'
import { decodeSafetensors } from '../safetensors/safetensors-file.js'
import { type MinilmConfig, readMinilmConfig } from './minilm-config.js'
import { minilmTensors } from './minilm-tensors.js'
import { minilmTokenizerMetadata } from './minilm-tokenizer.js'

/** The files that the conversion reads, by their path in the package. */
export const MINILM_FILES = [
  'model/config.json',
  'model/tokenizer.json',
  'model/model.fp16.safetensors',
] as const

/** `LLAMA_FTYPE_MOSTLY_F16` of llama.cpp. */
const FILE_TYPE_F16 = 1

/** `LLAMA_POOLING_TYPE_MEAN` of llama.cpp: a text's vector is the mean of its tokens'. */
const POOLING_MEAN = 1

/**
 * Converts all-MiniLM-L6-v2 (a BERT network in half precision with Hugging Face's json files) into a
 * GGUF file with which llama.cpp embeds texts. The same files always give the same bytes. Its vectors
 * are not normalised.
 *
 * Blocks for about 0.1 s.
 *
 * @param files by path in the package, at least {@link MINILM_FILES}
 * @throws StarlingError MODEL_INVALID when a file is missing, damaged or not as expected
 */
export function convertMinilm(files: PackageFiles): Uint8Array {
  const config = readMinilmConfig(fileNamed(files, 'model/config.json'))
  const tokenizer = minilmTokenizerMetadata(fileNamed(files, 'model/tokenizer.json'), config)
  const tensors = decodeSafetensors(fileNamed(files, 'model/model.fp16.safetensors'))
  return encodeGguf({
    metadata: new Map([...networkMetadata(config), ...tokenizer]),
    tensors: minilmTensors(tensors, config),
  })
}

function networkMetadata(config: MinilmConfig): ReadonlyMap<string, GgufValue> {
  const whole = (value: number): GgufValue => ({ type: 'uint32', value })
  const text = (value: string): GgufValue => ({ type: 'string', value })
  return new Map<string, GgufValue>([
    ['general.architecture', text('bert')],
    ['general.type', text('model')],
    ['general.name', text('all-MiniLM-L6-v2')],
    ['general.size_label', text('22M')],
    ['general.license', text('Apache-2.0')],
    ['general.file_type', whole(FILE_TYPE_F16)],
    ['bert.vocab_size', whole(config.vocabularySize)],
    ['bert.context_length', whole(config.contextTokens)],
    ['bert.embedding_length', whole(config.embeddingLength)],
    ['bert.block_count', whole(config.blockCount)],
    ['bert.feed_forward_length', whole(config.feedForwardLength)],
    ['bert.attention.head_count', whole(config.headCount)],
    ['bert.attention.layer_norm_epsilon', { type: 'float32', value: config.normEpsilon }],
    ['bert.attention.causal', { type: 'bool', value: false }],
    ['bert.pooling_type', whole(POOLING_MEAN)],
  ])
}
