import { encodeGguf } from '../gguf/gguf-file.js'
import type { GgufValue } from '../gguf/gguf-value.js'
import { fileNamed, type PackageFiles } from '../model-package.js'
import { decodeOnnxGraph } from '../onnx/onnx-graph.js'
import { type MinimindConfig, readMinimindConfig } from './minimind-config.js'
import { minimindTensors } from './minimind-tensors.js'
import { minimindTokenizerMetadata } from './minimind-tokenizer.js'

/** The files that the conversion reads, by their path in the package. */
export const MINIMIND_FILES = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'onnx/model_quantized.onnx',
] as const

/** `LLAMA_FTYPE_MOSTLY_Q8_0` of llama.cpp. */
const FILE_TYPE_Q8_0 = 7

/** The version of ggml's block layouts. */
const QUANTIZATION_VERSION = 2

/**
 * Converts MiniMind2-Small, as published for transformers.js (a llama network in eight-bit ONNX with
 * Hugging Face's json files), into a GGUF file that llama.cpp loads. The same files always give the
 * same bytes: weights are copied without floating-point arithmetic.
 *
 * Blocks for about 0.3 s: not for a process that answers requests.
 *
 * @param files by path in the package, at least {@link MINIMIND_FILES}
 * @throws StarlingError MODEL_INVALID when a file is missing, damaged or not as expected
 */
export function convertMinimind(files: PackageFiles): Uint8Array {
  const config = readMinimindConfig(fileNamed(files, 'config.json'))
  const tokenizer = minimindTokenizerMetadata(
    fileNamed(files, 'tokenizer.json'),
    fileNamed(files, 'tokenizer_config.json'),
    config,
  )
  const graph = decodeOnnxGraph(fileNamed(files, 'onnx/model_quantized.onnx'))
  return encodeGguf({
    metadata: new Map([...networkMetadata(config), ...tokenizer]),
    tensors: minimindTensors(graph, config),
  })
}

function networkMetadata(config: MinimindConfig): ReadonlyMap<string, GgufValue> {
  const whole = (value: number): GgufValue => ({ type: 'uint32', value })
  const text = (value: string): GgufValue => ({ type: 'string', value })
  return new Map<string, GgufValue>([
    ['general.architecture', text('llama')],
    ['general.type', text('model')],
    ['general.name', text('MiniMind2-Small')],
    ['general.size_label', text('26M')],
    ['general.license', text('Apache-2.0')],
    ['general.file_type', whole(FILE_TYPE_Q8_0)],
    ['general.quantization_version', whole(QUANTIZATION_VERSION)],
    ['llama.vocab_size', whole(config.vocabularySize)],
    ['llama.context_length', whole(config.contextTokens)],
    ['llama.embedding_length', whole(config.embeddingLength)],
    ['llama.block_count', whole(config.blockCount)],
    ['llama.feed_forward_length', whole(config.feedForwardLength)],
    ['llama.attention.head_count', whole(config.headCount)],
    ['llama.attention.head_count_kv', whole(config.keyValueHeadCount)],
    ['llama.attention.key_length', whole(config.headLength)],
    ['llama.attention.value_length', whole(config.headLength)],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'float32', value: config.normEpsilon }],
    ['llama.rope.dimension_count', whole(config.headLength)],
    ['llama.rope.freq_base', { type: 'float32', value: config.ropeBase }],
  ])
}
