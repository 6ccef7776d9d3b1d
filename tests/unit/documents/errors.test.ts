import test from 'brittle'
import { adviceFor } from '../../../helpers/errors/advice.js'
import { ERROR_CODES, isErrorCode } from '../../../helpers/errors/error-codes.js'
import { readProjectFile, tableRows } from '../../helpers/markdown-table.js'

test('should list the same errors in the README as in the code, in the same order', async (t) => {
  const readme = await readProjectFile('README.md')
  const section = readme.split('\n## Errors\n')[1]?.split('\n## ')[0] ?? ''
  t.alike(
    tableRows(section),
    Object.entries(ERROR_CODES).map(([code, { httpStatus, retryable }]) => [
      code,
      String(httpStatus),
      retryable ? 'yes' : 'no',
      isErrorCode(code) && adviceFor(code),
    ]),
  )
})
