import test from 'brittle'
import fc from 'fast-check'
import { decodeSafetensors } from '../../../../../helpers/models/safetensors/safetensors-file.js'
import { encodeSafetensors } from '../../../../helpers/models/safetensors-encoder.js'
import { codeThrownBy, ensure, holds } from '../../../../helpers/property.js'

const WHOLE = encodeSafetensors({
  one: { dtype: 'F16', shape: [2, 3], bytes: Buffer.alloc(12, 1) },
  two: { dtype: 'F32', shape: [4], bytes: Buffer.alloc(16, 2) },
})

test('should give tensors within the file, or a typed error, when bytes of a file are changed', async (t) => {
  const change = fc.record({ at: fc.nat(WHOLE.length - 1), to: fc.nat(255) })
  await holds(
    t,
    fc.property(fc.array(change, { maxLength: 4 }), fc.nat(WHOLE.length), (changes, length) => {
      const file = Buffer.from(WHOLE).subarray(0, length < 40 ? WHOLE.length : length)
      for (const { at, to } of changes) if (at < file.length) file[at] = to
      const code = codeThrownBy(() => {
        for (const { bytes } of decodeSafetensors(file).values()) {
          ensure(bytes.byteOffset + bytes.length <= file.byteOffset + file.length, 'outside')
        }
      })
      ensure(code === null || code === 'MODEL_INVALID', `it threw ${code}`)
    }),
    300,
  )
})
