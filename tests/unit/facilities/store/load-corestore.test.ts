import test from 'brittle'
import { loadCorestore } from '../../../../facilities/store/load-corestore.js'

test('should name the library when the machine lacks one', async (t) => {
  const linker = Object.assign(
    new Error('libatomic.so.1: cannot open shared object file: No such file or directory'),
    { code: 'ERR_DLOPEN_FAILED' },
  )
  const failure = new Error('Cannot load addon', { cause: linker })
  await t.exception(
    loadCorestore(() => Promise.reject(failure)),
    {
      code: 'LIBRARY_MISSING',
      message: 'The store cannot be opened: the library libatomic.so.1 is missing',
    },
  )
})

test('should fail as the import does when it fails for another reason', async (t) => {
  await t.exception(
    loadCorestore(() => Promise.reject(new Error('out of luck'))),
    /out of luck/,
  )
})
