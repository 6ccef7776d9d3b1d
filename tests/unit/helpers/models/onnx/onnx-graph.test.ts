import test from 'brittle'
import { decodeOnnxGraph } from '../../../../../helpers/models/onnx/onnx-graph.js'
import {
  modelMessage,
  nodeMessage,
  tensorMessage,
  varintField,
} from '../../../../helpers/models/protobuf-encoder.js'

const INVALID = { code: 'MODEL_INVALID' }

const MODEL = modelMessage(
  [nodeMessage('/proj/MatMul_quant', 'MatMulInteger', ['x', 'w', '', 'z'], ['y'])],
  [tensorMessage('w', [2], 3, Uint8Array.of(1, 255)), tensorMessage('z', [], 3, Uint8Array.of(0))],
)

test('should find operations and constants by their names when a model is read', (t) => {
  const graph = decodeOnnxGraph(MODEL)
  t.alike(
    [...graph.nodes.values()],
    [
      {
        name: '/proj/MatMul_quant',
        operator: 'MatMulInteger',
        inputs: ['x', 'w', '', 'z'],
        outputs: ['y'],
      },
    ],
  )
  t.alike([...graph.tensors.keys()], ['w', 'z'])
  t.alike([...(graph.tensors.get('w')?.bytes ?? [])], [1, 255])
})

test('should throw MODEL_INVALID when the file is cut off anywhere', async (t) => {
  // The two fields in front of the graph are whole messages of a model without one.
  for (let length = 0; length < MODEL.length; length++) {
    await t.exception(() => decodeOnnxGraph(MODEL.subarray(0, length)), INVALID)
  }
})

test('should throw MODEL_INVALID when there is no graph', async (t) => {
  await t.exception(() => decodeOnnxGraph(varintField(1, 8)), INVALID)
  await t.exception(() => decodeOnnxGraph(new Uint8Array()), INVALID)
})

test('should throw MODEL_INVALID when the file is another kind of file', async (t) => {
  await t.exception(() => decodeOnnxGraph(Buffer.from('<!DOCTYPE html><html></html>')), INVALID)
})
