import test from 'brittle'
import { adviceFor } from '../../../helpers/errors/advice.js'
import { ERROR_CODES, isErrorCode } from '../../../helpers/errors/error-codes.js'
import { readProjectFile, tableRows } from '../../helpers/project-documents.js'

test('should list the same errors as the code, in the same order', async (t) => {
  t.alike(
    tableRows(await readProjectFile('helpers/errors/README.md')),
    Object.entries(ERROR_CODES).map(([code, { httpStatus, retryable }]) => [
      code,
      String(httpStatus),
      retryable ? 'yes' : 'no',
      isErrorCode(code) && adviceFor(code),
    ]),
  )
})
