import test from 'brittle'
import { quantizedMatrix } from '../../../../../helpers/models/minimind/quantized-matrix.js'
import { decodeOnnxGraph } from '../../../../../helpers/models/onnx/onnx-graph.js'
import {
  float32Bytes,
  modelMessage,
  tensorMessage,
} from '../../../../helpers/models/protobuf-encoder.js'

const INVALID = { code: 'MODEL_INVALID' }

interface Parts {
  readonly type?: number
  readonly values?: readonly number[]
  readonly zeroPoint?: readonly number[]
  readonly zeroPointType?: number
  readonly scale?: number
}

function matrixOf(parts: Parts): ReturnType<typeof quantizedMatrix> {
  const { type = 3, values = [1, 2], zeroPoint = [0], scale = 0.01 } = parts
  const tensors = [
    tensorMessage('w_quantized', [1, 2], type, Uint8Array.from(values)),
    tensorMessage('w_scale', [], 1, float32Bytes([scale])),
    tensorMessage('w_zero_point', [], parts.zeroPointType ?? type, Uint8Array.from(zeroPoint)),
  ]
  return quantizedMatrix(decodeOnnxGraph(modelMessage([], tensors)), 'w', 1, 2)
}

test('should take the zero point off exactly when weights are signed or unsigned', (t) => {
  t.alike([...matrixOf({ type: 3, values: [-127, 127] }).values], [-127, 127])
  t.alike([...matrixOf({ type: 3, values: [-100, 100], zeroPoint: [-3] }).values], [-97, 103])
  t.alike([...matrixOf({ type: 2, values: [0, 255], zeroPoint: [128] }).values], [-128, 127])
})

test('should throw MODEL_INVALID when a weight fits no signed byte', async (t) => {
  await t.exception(() => matrixOf({ type: 2, values: [0, 255], zeroPoint: [100] }), INVALID)
  await t.exception(() => matrixOf({ type: 3, values: [127, 0], zeroPoint: [-1] }), INVALID)
})

test('should throw MODEL_INVALID when the scale has no place in half precision', async (t) => {
  for (const scale of [0, -0.5, 1e-5, 2, Number.NaN]) {
    await t.exception(() => matrixOf({ scale }), INVALID)
  }
})

test('should throw MODEL_INVALID when the zero point is of another type', async (t) => {
  await t.exception(() => matrixOf({ type: 3, zeroPointType: 2 }), INVALID)
})
