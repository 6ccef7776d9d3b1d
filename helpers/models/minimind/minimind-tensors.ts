import { StarlingError } from '../../errors/starling-error.js'
import type { GgufTensor } from '../gguf/gguf-file.js'
import { packQ8_0 } from '../gguf/q8-0.js'
import type { OnnxGraph } from '../onnx/onnx-graph.js'
import type { MinimindConfig } from './minimind-config.js'
import {
  float32Values,
  type QuantizedMatrix,
  quantizedMatrix,
  transposed,
  withNeighbouringPairs,
} from './quantized-matrix.js'

/**
 * The weights of the network as llama.cpp's llama architecture names, orders and lays them out.
 *
 * The embedding is also the output matrix, as in the trained network. (The ONNX file contains it a
 * second time, quantised separately for its last MatMulInteger, and no more precisely.)
 *
 * @throws StarlingError MODEL_INVALID when a weight is missing or not of the shape that the
 *   configuration requires
 */
export function minimindTensors(graph: OnnxGraph, config: MinimindConfig): GgufTensor[] {
  const width = config.embeddingLength
  const queryRows = config.headCount * config.headLength
  const keyRows = config.keyValueHeadCount * config.headLength
  const inner = config.feedForwardLength
  const tensors = [
    q8_0(
      'token_embd.weight',
      quantizedMatrix(graph, 'model.embed_tokens.weight', config.vocabularySize, width),
    ),
    norm('output_norm.weight', graph, 'model.norm.weight', width),
  ]
  for (let index = 0; index < config.blockCount; index++) {
    const layer = `model/layers.${index}`
    const weights = `model.layers.${index}`
    const block = `blk.${index}`
    const query = projection(graph, `/${layer}/self_attn/q_proj`, queryRows, width)
    const key = projection(graph, `/${layer}/self_attn/k_proj`, keyRows, width)
    tensors.push(
      norm(`${block}.attn_norm.weight`, graph, `${weights}.input_layernorm.weight`, width),
      q8_0(`${block}.attn_q.weight`, withNeighbouringPairs(query, config.headLength)),
      q8_0(`${block}.attn_k.weight`, withNeighbouringPairs(key, config.headLength)),
      q8_0(
        `${block}.attn_v.weight`,
        projection(graph, `/${layer}/self_attn/v_proj`, keyRows, width),
      ),
      q8_0(
        `${block}.attn_output.weight`,
        projection(graph, `/${layer}/self_attn/o_proj`, width, queryRows),
      ),
      norm(`${block}.ffn_norm.weight`, graph, `${weights}.post_attention_layernorm.weight`, width),
      q8_0(`${block}.ffn_gate.weight`, projection(graph, `/${layer}/mlp/gate_proj`, inner, width)),
      q8_0(`${block}.ffn_up.weight`, projection(graph, `/${layer}/mlp/up_proj`, inner, width)),
      q8_0(`${block}.ffn_down.weight`, projection(graph, `/${layer}/mlp/down_proj`, width, inner)),
    )
  }
  return tensors
}

/**
 * The matrix that a projection multiplies with, one row for each of its outputs. The exporter gives the
 * weights meaningless names (onnx::MatMul_2454), so they are found by the operation that uses them.
 */
function projection(
  graph: OnnxGraph,
  name: string,
  outputs: number,
  inputs: number,
): QuantizedMatrix {
  const node = graph.nodes.get(`${name}/MatMul_quant`)
  const weights = node?.operator === 'MatMulInteger' ? node.inputs[1] : undefined
  if (!weights?.endsWith('_quantized')) {
    throw new StarlingError('MODEL_INVALID', `the ONNX file has no quantised operation ${name}`)
  }
  return transposed(quantizedMatrix(graph, weights.slice(0, -'_quantized'.length), inputs, outputs))
}

function q8_0(name: string, matrix: QuantizedMatrix): GgufTensor {
  return {
    name,
    dimensions: [matrix.columns, matrix.rows],
    type: 'q8_0',
    bytes: packQ8_0(matrix.values, matrix.scale),
  }
}

function norm(name: string, graph: OnnxGraph, source: string, length: number): GgufTensor {
  const values = float32Values(graph, source, [length])
  const bytes = Buffer.alloc(length * 4)
  for (const [index, value] of values.entries()) bytes.writeFloatLE(value, index * 4)
  return { name, dimensions: [length], type: 'f32', bytes }
}
