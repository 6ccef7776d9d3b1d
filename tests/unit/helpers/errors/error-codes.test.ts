import test from 'brittle'
import { ERROR_CODES, isErrorCode } from '../../../../helpers/errors/error-codes.js'

test('should say what to do, in a sentence, whatever the code is', (t) => {
  for (const [code, { whatToDo, httpStatus }] of Object.entries(ERROR_CODES)) {
    t.ok(/^[A-Z].*[^ ]$/.test(whatToDo), code)
    t.ok(httpStatus >= 400 && httpStatus < 600, code)
  }
})

test('should know its own codes and nothing that every object has when asked', (t) => {
  t.ok(isErrorCode('PEER_LOST'))
  for (const name of ['', 'peer_lost', 'toString', '__proto__', 'constructor', 'hasOwnProperty']) {
    t.absent(isErrorCode(name))
  }
})
