import { StarlingError } from '../../errors/starling-error.js'
import type { GgufTensor } from '../gguf/gguf-file.js'
import { fromHalfFloatBits } from '../gguf/half-float.js'
import type { SafetensorsTensor } from '../safetensors/safetensors-file.js'
import type { MinilmConfig } from './minilm-config.js'

type Tensors = ReadonlyMap<string, SafetensorsTensor>

/**
 * The weights of the network as llama.cpp's bert architecture names and orders them. Matrices stay in
 * half precision; norms, biases and the small embeddings become single precision, which loses nothing.
 * What only training needs (the pooler, the list of positions) is left out.
 *
 * @throws StarlingError MODEL_INVALID when a weight is missing or not of the type and shape that the
 *   configuration requires
 */
export function minilmTensors(source: Tensors, config: MinilmConfig): GgufTensor[] {
  const width = config.embeddingLength
  const inner = config.feedForwardLength
  const embeddings = 'embeddings'
  const tensors = [
    half(source, 'token_embd.weight', `${embeddings}.word_embeddings.weight`, [
      config.vocabularySize,
      width,
    ]),
    single(source, 'position_embd.weight', `${embeddings}.position_embeddings.weight`, [
      config.contextTokens,
      width,
    ]),
    single(source, 'token_types.weight', `${embeddings}.token_type_embeddings.weight`, [
      config.tokenTypes,
      width,
    ]),
    ...vectors(source, 'token_embd_norm', `${embeddings}.LayerNorm`, width, ['weight', 'bias']),
  ]
  for (let index = 0; index < config.blockCount; index++) {
    const layer = `encoder.layer.${index}`
    const block = `blk.${index}`
    const dense = (name: string, part: string, rows: number, columns: number): GgufTensor[] => [
      half(source, `${block}.${name}.weight`, `${layer}.${part}.weight`, [rows, columns]),
      ...vectors(source, `${block}.${name}`, `${layer}.${part}`, rows, ['bias']),
    ]
    const norm = (name: string, part: string): GgufTensor[] =>
      vectors(source, `${block}.${name}`, `${layer}.${part}`, width, ['weight', 'bias'])
    tensors.push(
      ...dense('attn_q', 'attention.self.query', width, width),
      ...dense('attn_k', 'attention.self.key', width, width),
      ...dense('attn_v', 'attention.self.value', width, width),
      ...dense('attn_output', 'attention.output.dense', width, width),
      ...norm('attn_output_norm', 'attention.output.LayerNorm'),
      ...dense('ffn_up', 'intermediate.dense', inner, width),
      ...dense('ffn_down', 'output.dense', width, inner),
      ...norm('layer_output_norm', 'output.LayerNorm'),
    )
  }
  return tensors
}

function vectors(
  source: Tensors,
  name: string,
  part: string,
  length: number,
  endings: readonly string[],
): GgufTensor[] {
  return endings.map((ending) => single(source, `${name}.${ending}`, `${part}.${ending}`, [length]))
}

function half(source: Tensors, name: string, from: string, shape: readonly number[]): GgufTensor {
  const { bytes } = tensorNamed(source, from, shape)
  return { name, dimensions: [...shape].reverse(), type: 'f16', bytes }
}

function single(source: Tensors, name: string, from: string, shape: readonly number[]): GgufTensor {
  const { bytes } = tensorNamed(source, from, shape)
  const halves = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const singles = new DataView(new ArrayBuffer(bytes.length * 2))
  for (let offset = 0; offset < bytes.length; offset += 2) {
    singles.setFloat32(offset * 2, fromHalfFloatBits(halves.getUint16(offset, true)), true)
  }
  return {
    name,
    dimensions: [...shape].reverse(),
    type: 'f32',
    bytes: new Uint8Array(singles.buffer),
  }
}

function tensorNamed(source: Tensors, name: string, shape: readonly number[]): SafetensorsTensor {
  const tensor = source.get(name)
  if (tensor === undefined) {
    throw new StarlingError('MODEL_INVALID', `the safetensors file has no tensor "${name}"`)
  }
  const isOfShape =
    tensor.shape.length === shape.length &&
    shape.every((length, axis) => length === tensor.shape[axis])
  if (tensor.type !== 'F16' || !isOfShape) {
    throw new StarlingError(
      'MODEL_INVALID',
      `the tensor "${name}" is ${tensor.type} [${tensor.shape.join(', ')}], not F16 [${shape.join(', ')}]`,
    )
  }
  return tensor
}
