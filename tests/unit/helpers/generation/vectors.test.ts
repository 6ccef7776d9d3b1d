import test from 'brittle'
import fc from 'fast-check'
import { decodeVector, encodeVector } from '../../../../helpers/generation/vectors.js'
import { ensure, holds } from '../../../helpers/property.js'

test('should give every vector back as it was', async (t) => {
  await holds(
    t,
    fc.property(fc.float32Array(), (vector) => {
      const back = decodeVector(encodeVector(vector))
      ensure(back.length === vector.length, 'another length')
      ensure(
        back.every((value, index) => Object.is(value, vector[index])),
        'another value',
      )
    }),
  )
})

test('should leave out what is no whole number', (t) => {
  t.is(decodeVector(Buffer.alloc(7).toString('base64')).length, 1)
  t.is(decodeVector('').length, 0)
})
