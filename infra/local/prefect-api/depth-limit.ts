import {
  GraphQLError,
  type ASTNode,
  type ASTVisitor,
  type DocumentNode,
  type FragmentDefinitionNode,
  type SelectionNode,
  type ValidationContext,
} from 'graphql-14';

/** Root fields have depth 0: eight nested fields pass, the ninth fails (graphql-depth-limit 1.1.0 with 7). */
const maximumDepth = 7;

type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

interface Walk {
  readonly fragments: Fragments;
  readonly entered: ReadonlySet<string>;
  readonly depth: number;
}

function fragmentsOf(document: DocumentNode): Fragments {
  const fragments = document.definitions.filter((definition) => definition.kind === 'FragmentDefinition');
  return new Map(fragments.map((fragment) => [fragment.name.value, fragment]));
}

function deepestIn(selections: readonly SelectionNode[], walk: Walk): ASTNode | null {
  for (const selection of selections) {
    const found = tooDeep(selection, walk);
    if (found !== null) return found;
  }
  return null;
}

function tooDeepInSpread(name: string, walk: Walk): ASTNode | null {
  const fragment = walk.fragments.get(name);
  if (fragment === undefined || walk.entered.has(name)) return null;
  return deepestIn(fragment.selectionSet.selections, { ...walk, entered: new Set([...walk.entered, name]) });
}

/** The first node below the limit; fields that begin with two underscores do not count. */
function tooDeep(node: SelectionNode, walk: Walk): ASTNode | null {
  if (walk.depth > maximumDepth) return node;
  if (node.kind === 'FragmentSpread') return tooDeepInSpread(node.name.value, walk);
  if (node.kind === 'InlineFragment') return deepestIn(node.selectionSet.selections, walk);
  if (node.name.value.startsWith('__') || node.selectionSet === undefined) return null;
  return deepestIn(node.selectionSet.selections, { ...walk, depth: walk.depth + 1 });
}

/** A validation rule: refuses operations deeper than the gateway allows. Arguments are as deep as they like. */
export function depthLimit(context: ValidationContext): ASTVisitor {
  const fragments = fragmentsOf(context.getDocument());
  return {
    OperationDefinition(operation) {
      const node = deepestIn(operation.selectionSet.selections, { fragments, entered: new Set(), depth: 0 });
      if (node === null) return;
      const name = operation.name?.value ?? '';
      context.reportError(new GraphQLError(`'${name}' exceeds maximum operation depth of ${maximumDepth}`, [node]));
    },
  };
}
