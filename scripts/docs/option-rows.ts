// Reads the options from their types: the docstrings are the one place where an option is described.
import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** One option, or one group of options. */
export interface OptionRow {
  /** `dial`, or `outbox.replay.concurrency`. */
  readonly path: string;
  /** Type as it is written; empty for a group. */
  readonly type: string;
  /** What `@defaultValue` says. */
  readonly defaultValue: string | undefined;
  /** The docstring, as one line. */
  readonly text: string;
  /** What `@see` names: a page of docs/. */
  readonly see: string | undefined;
  /** The fields of a group. */
  readonly fields: readonly OptionRow[];
}

const FILES = ['src/options/options.ts', 'src/discovery/registry/create-registry-resolver.ts'];
const ROOT = new URL('../../', import.meta.url);

const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim();

/** Every option of ours, in the order of the types. */
export function optionRows(): readonly OptionRow[] {
  const interfaces = new Map<string, ts.InterfaceDeclaration>();
  for (const name of FILES) {
    const text = readFileSync(new URL(name, ROOT), 'utf8');
    const file = ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true);
    for (const node of file.statements) {
      if (ts.isInterfaceDeclaration(node)) interfaces.set(node.name.text, node);
    }
  }

  const membersOf = (type: ts.TypeNode): readonly ts.TypeElement[] => {
    if (ts.isTypeLiteralNode(type)) return type.members;
    if (!ts.isTypeReferenceNode(type)) return [];
    return interfaces.get(type.typeName.getText())?.members ?? [];
  };
  const row = (member: ts.TypeElement, parent: string): OptionRow[] => {
    if (!ts.isPropertySignature(member) || !member.type) return [];
    const path = `${parent}${member.name.getText()}`;
    const tag = (name: string) => {
      const found = ts.getJSDocTags(member).find((each) => each.tagName.text === name);
      // Not the parsed comment: of `@see docs/x.md` the parser takes `docs` for the name of a symbol.
      return found && oneLine(found.getText().replace(/^@\w+|^\s*\*( |$)/gm, ''));
    };
    const [doc] = ts.getJSDocCommentsAndTags(member);
    const text = doc && ts.isJSDoc(doc) ? oneLine(ts.getTextOfJSDocComment(doc.comment) ?? '') : '';
    const fields = membersOf(member.type).flatMap((field) => row(field, `${path}.`));
    const type = fields.length > 0 ? '' : oneLine(member.type.getText());
    return [{ path, type, defaultValue: tag('defaultValue'), text, see: tag('see'), fields }];
  };
  const groups = interfaces.get('FailoverGroups');
  if (!groups) throw new Error(`${FILES[0]} has no interface FailoverGroups`);
  return groups.members.flatMap((member) => row(member, ''));
}

/** The default where it is a value of the language, and not a description. */
export function literalDefault({ defaultValue = '' }: OptionRow): unknown {
  const literal = /^(true|false|\d+(\.\d+)?|'[^']*')(?=;|$)/.exec(defaultValue)?.[1];
  return literal === undefined ? undefined : JSON.parse(literal.replaceAll("'", '"'));
}
