import { StarlingError } from '../../errors/starling-error.js'
import { decodeOnnxTensor, type OnnxTensor } from './onnx-tensor.js'
import { protobufFields } from './protobuf-fields.js'

/** One operation of the graph. Its attributes are not read. */
export interface OnnxNode {
  readonly name: string
  /** The operator, such as `MatMulInteger`. */
  readonly operator: string
  /** Names of tensors; an empty name is an optional input that was left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

/** The parts of an ONNX file that are read: its constants and how its operations use them. */
export interface OnnxGraph {
  readonly tensors: ReadonlyMap<string, OnnxTensor>
  readonly nodes: ReadonlyMap<string, OnnxNode>
}

/** Field numbers of onnx.proto. */
const MODEL_GRAPH = 7
const GRAPH_NODE = 1
const GRAPH_INITIALIZER = 5

/**
 * Reads the graph of an ONNX model (`ModelProto`,
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). The tensors are views into `file`.
 *
 * @throws StarlingError MODEL_INVALID when the file is damaged, cut off, or not an ONNX model
 */
export function decodeOnnxGraph(file: Uint8Array): OnnxGraph {
  const tensors = new Map<string, OnnxTensor>()
  const nodes = new Map<string, OnnxNode>()
  let found = false
  for (const field of protobufFields(file)) {
    if (field.number !== MODEL_GRAPH || field.kind !== 'bytes') continue
    found = true
    for (const member of protobufFields(field.bytes)) {
      if (member.kind !== 'bytes') continue
      if (member.number === GRAPH_NODE) {
        const node = decodeNode(member.bytes)
        nodes.set(node.name, node)
      } else if (member.number === GRAPH_INITIALIZER) {
        const tensor = decodeOnnxTensor(member.bytes)
        tensors.set(tensor.name, tensor)
      }
    }
  }
  if (!found) throw new StarlingError('MODEL_INVALID', 'the file contains no ONNX graph')
  return { tensors, nodes }
}

function decodeNode(message: Uint8Array): OnnxNode {
  const text = new TextDecoder()
  const inputs: string[] = []
  const outputs: string[] = []
  let name = ''
  let operator = ''
  for (const field of protobufFields(message)) {
    if (field.kind !== 'bytes') continue
    if (field.number === 1) inputs.push(text.decode(field.bytes))
    else if (field.number === 2) outputs.push(text.decode(field.bytes))
    else if (field.number === 3) name = text.decode(field.bytes)
    else if (field.number === 4) operator = text.decode(field.bytes)
  }
  return { name, operator, inputs, outputs }
}
