import test from 'brittle'
import { isStarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  parseServerAddress,
  readServerAddress,
} from '../../../../helpers/upstream/server-address.js'

test('should read an address as operators write it', (t) => {
  const urlOf = (text: string) => parseServerAddress(text, 'the server', 11434).url
  t.is(urlOf('http://127.0.0.1:11434'), 'http://127.0.0.1:11434')
  t.is(urlOf('workstation'), 'http://workstation:11434')
  t.is(urlOf('workstation:80'), 'http://workstation')
  t.is(urlOf('http://workstation'), 'http://workstation', 'a protocol brings its own port')
  t.is(urlOf('https://models.example/ollama//'), 'https://models.example/ollama')
  t.is(urlOf('[::1]:8000/v1'), 'http://[::1]:8000/v1')
  t.is(parseServerAddress('localhost', 'the server').url, 'http://localhost')
})

test('should keep the name and password of an address apart', (t) => {
  const { url, authorization } = parseServerAddress('https://ada:h%40nter2@example.com/', 'x')
  t.is(url, 'https://example.com')
  t.is(authorization, `Basic ${Buffer.from('ada:h@nter2').toString('base64')}`)
  t.is(parseServerAddress('http://example.com', 'x').authorization, null)
})

test('should refuse an address without repeating it', (t) => {
  for (const wrong of [
    '',
    'http://',
    'ada:hunter2@',
    'ftp://ada:hunter2@example.com',
    'http://ada:hunter2@example.com/?key=hunter2',
    'http://ada:hunter2@example.com/#x',
    'http://ada:hunter2%@example.com',
    'http://ada:hunter2@example.com:99999',
    'file:///etc/hunter2',
  ]) {
    try {
      parseServerAddress(wrong, 'the Ollama server')
      t.fail(wrong)
    } catch (error) {
      if (!isStarlingError(error, 'CONFIG_INVALID')) throw error
      t.ok(error.message.includes('the Ollama server'))
      t.absent(error.message.includes('hunter2'), error.message)
    }
  }
})

test('should say that a port is too high, and not that there is no URL', (t) => {
  for (const wrong of [
    'localhost:65536',
    'http://localhost:99999/v1',
    '[::1]:70000',
    'https://ada:secret@example.com:123456',
  ]) {
    t.alike(readServerAddress(wrong), { why: 'has a port above 65535' })
    t.exception(() => parseServerAddress(wrong, 'the server'), /the server has a port above 65535/)
  }
  t.ok('address' in readServerAddress('localhost:65535'))
  t.ok('address' in readServerAddress('http://localhost/a:99999'), 'a path is no port')
  t.alike(readServerAddress('local host:1'), { why: 'is not a URL' })
})
