import test from 'brittle'
import {
  formatModelReference,
  parseModelReference,
} from '../../../../helpers/models/model-reference.js'
import { describeModelSource, hubFileUrl } from '../../../../helpers/models/model-source.js'
import { codeThrownBy } from '../../../helpers/property.js'

const HASH = 'ab'.repeat(32)

test('should tell the sources apart when references are read', (t) => {
  const cases: [text: string, name: string, source: object][] = [
    ['minimind2-small', 'minimind2-small', { kind: 'catalogue', model: 'minimind2-small' }],
    ['qwen3:0.6b', 'qwen3:0.6b', { kind: 'catalogue', model: 'qwen3:0.6b' }],
    ['x.gguf', 'x', { kind: 'path', path: './x.gguf' }],
    ['./x.gguf', 'x', { kind: 'path', path: './x.gguf' }],
    ['../a b/x.gguf', 'x', { kind: 'path', path: '../a b/x.gguf' }],
    ['/models/x', 'x', { kind: 'path', path: '/models/x' }],
    ['models/x', 'x', { kind: 'path', path: './models/x' }],
    ['file:///models/x%20y.gguf', 'x y', { kind: 'path', path: '/models/x y.gguf' }],
    ['https://example.com/a/x.gguf', 'x', { kind: 'url', url: 'https://example.com/a/x.gguf' }],
    [
      'HTTPS://Example.com/x%20y.gguf?k=v',
      'x y',
      { kind: 'url', url: 'https://example.com/x%20y.gguf?k=v' },
    ],
    ['http://127.0.0.1:81/x.gguf', 'x', { kind: 'url', url: 'http://127.0.0.1:81/x.gguf' }],
    ['http://localhost/x.gguf', 'x', { kind: 'url', url: 'http://localhost/x.gguf' }],
    [
      'hf:owner/repo-GGUF/deep/x.gguf',
      'x',
      {
        kind: 'hub',
        owner: 'owner',
        repository: 'repo-GGUF',
        revision: 'main',
        path: 'deep/x.gguf',
      },
    ],
    [
      'hf:o/r@v1.0/x.gguf',
      'x',
      { kind: 'hub', owner: 'o', repository: 'r', revision: 'v1.0', path: 'x.gguf' },
    ],
    [
      'npm:@scope/models@1.2.3-beta.1/dist/x.gguf',
      'x',
      {
        kind: 'package',
        packageName: '@scope/models',
        version: '1.2.3-beta.1',
        path: 'dist/x.gguf',
      },
    ],
  ]
  for (const [text, name, source] of cases) {
    t.alike(parseModelReference(text), { name, source }, text)
    t.alike(parseModelReference(`${text}#sha256=${HASH}`), { name, source, sha256: HASH }, text)
    t.alike(parseModelReference(`my model=${text}`), { name: 'my model', source }, text)
  }
})

test('should read the hash in lower case when it is written in capitals', (t) => {
  t.is(parseModelReference(`./x.gguf#sha256=${HASH.toUpperCase()}`).sha256, HASH)
})

test('should take an equals sign as part of the path when the path begins with ./', (t) => {
  t.alike(parseModelReference('./a=b.gguf'), {
    name: 'a=b',
    source: { kind: 'path', path: './a=b.gguf' },
  })
  t.is(parseModelReference('https://example.com/x.gguf?a=b').name, 'x')
})

test('should say which forms there are when a reference is not understood', (t) => {
  const wrong = [
    '',
    '=./x.gguf',
    'name=',
    ' name=./x.gguf',
    'a=b=c',
    './x\n.gguf',
    './x.gguf#sha256=abc',
    `./x.gguf#sha256=${HASH}0`,
    '/',
    'ftp://example.com/x.gguf',
    'name=ftp://example.com/x.gguf',
    'http://example.com/x.gguf',
    'http://127.0.0.1.example.com/x.gguf',
    'https://',
    'https://example.com',
    'https://example.com/x.gguf#part',
    'https://user@example.com/x.gguf',
    'https://example.com/x-00002-of-00003.gguf',
    'file:x.gguf',
    'file://elsewhere/x.gguf',
    'file:///a%2Fb.gguf',
    'file:///a%00b.gguf',
    'file:///a%23sha256=b.gguf',
    'hf:owner',
    'hf:owner/repo/x.bin',
    'hf:owner/repo/../x.gguf',
    'hf:../repo/x.gguf',
    'hf:owner/repo@../x.gguf',
    'hf:owner/repo//x.gguf',
    'hf:owner/repo/x-00001-of-00002.gguf',
    'npm:package/x.gguf',
    'npm:package@^1.0.0/x.gguf',
    'npm:package@1.0.0/../x.gguf',
    'npm:../package@1.0.0/x.gguf',
    'npm:package@1.0.0/x.bin',
    `${'n'.repeat(201)}=./x.gguf`,
    `./${'n'.repeat(201)}.gguf`,
    `./${'n'.repeat(4096)}/x.gguf`,
    `https://example.com/${'ü'.repeat(1000)}/x.gguf`,
    'x\ud800y',
  ]
  for (const text of wrong) {
    t.is(
      codeThrownBy(() => parseModelReference(text)),
      'CONFIG_INVALID',
      JSON.stringify(text).slice(0, 80),
    )
  }
  t.exception(
    () => parseModelReference('hf:owner'),
    /hf:OWNER\/REPOSITORY\/FILE\.gguf.*npm:PACKAGE@VERSION/,
  )
  t.exception(() => parseModelReference('https://h:99999/x.gguf'), /its port is above 65535/)
})

test('should not repeat a password or a signature when an address is refused', (t) => {
  for (const text of ['https://ada:secret@example.com/x.gguf', 'http://example.com/x?key=secret']) {
    try {
      parseModelReference(text)
      t.fail(text)
    } catch (error) {
      t.absent(String(error).includes('secret'), String(error))
    }
  }
})

test('should leave the query out when a source is described', (t) => {
  const described = (text: string) => describeModelSource(parseModelReference(text).source)
  t.is(described('https://example.com/x.gguf?Signature=secret'), 'https://example.com/x.gguf?…')
  t.is(described('https://example.com/x.gguf'), 'https://example.com/x.gguf')
  t.is(described('hf:o/r/x.gguf'), 'hf:o/r/x.gguf')
  t.is(described('npm:p@1.0.0/x.gguf'), 'npm:p@1.0.0/x.gguf')
})

test('should write a reference as short as it can be when it is formatted', (t) => {
  const formatted = (text: string) => formatModelReference(parseModelReference(text))
  t.is(formatted('x=./x.gguf'), './x.gguf')
  t.is(formatted('y=x.gguf'), 'y=./x.gguf')
  t.is(formatted('hf:o/r@main/x.gguf'), 'hf:o/r/x.gguf')
  t.is(formatted(`a=hf:o/r@v2/x.gguf#sha256=${HASH}`), `a=hf:o/r@v2/x.gguf#sha256=${HASH}`)
})

test('should encode each part of the path when the address of a hub file is made', (t) => {
  const { source } = parseModelReference('hf:o/r@v2/a b/x#1%.gguf')
  if (source.kind !== 'hub') throw new Error('no hub source')
  t.is(
    hubFileUrl(source, 'https://hub.example/'),
    'https://hub.example/o/r/resolve/v2/a%20b/x%231%25.gguf',
  )
})
