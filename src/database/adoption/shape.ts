import type { EntityManager } from '@mikro-orm/postgresql';

/** A column as the catalog describes it. */
export interface ColumnShape {
  readonly name: string;
  /** With its length: `character varying(255)`. */
  readonly type: string;
  readonly isEnum: boolean;
  readonly notNull: boolean;
  readonly default: string | null;
  /** `a` or `d` for an identity, otherwise empty. */
  readonly identity: string;
  readonly isGenerated: boolean;
  readonly hasOwnCollation: boolean;
}

/** An index or a constraint, with the columns that it mentions. */
export interface PartShape {
  readonly name: string;
  readonly columns: readonly string[];
}

/** A constraint: `c` check, `f` foreign key, `p` primary key, `u` unique, `x` exclusion. */
export interface ConstraintShape extends PartShape {
  readonly kind: string;
}

/** An index that belongs to no constraint. Its columns are null where it has expressions. */
export interface IndexShape extends PartShape {
  readonly isUnique: boolean;
}

/** A foreign key of a table that points at the accounts. */
export interface Reference {
  readonly constraint: string;
  /** Quoted, with its schema where it needs one. */
  readonly table: string;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
}

/** A table `users` as it is. */
export interface TableShape {
  readonly schema: string;
  /** `r` for an ordinary table, `v` for a view, `p` for a partitioned one. */
  readonly kind: string;
  readonly isOwned: boolean;
  readonly isUnlogged: boolean;
  readonly hasRowSecurity: boolean;
  readonly isInherited: boolean;
  readonly triggers: readonly string[];
  readonly rules: readonly string[];
  readonly columns: readonly ColumnShape[];
  readonly constraints: readonly ConstraintShape[];
  readonly indexes: readonly IndexShape[];
  /** Views that select from it, with the columns that they need. */
  readonly views: readonly PartShape[];
  readonly references: readonly Reference[];
  /** The sequence of `id`, of its default or of its identity. */
  readonly sequence: string | null;
  /** The names of all relations in its schema. */
  readonly neighbours: readonly string[];
}

const SHAPE = `
  select nspname as schema, relkind as kind, pg_has_role(relowner, 'USAGE') as "isOwned",
         relpersistence <> 'p' as "isUnlogged", relrowsecurity as "hasRowSecurity",
         exists (select from pg_inherits where pg_class.oid in (inhrelid, inhparent)) as "isInherited",
         coalesce((select json_agg(tgname order by tgname) from pg_trigger
                    where tgrelid = pg_class.oid and not tgisinternal), '[]') as triggers,
         coalesce((select json_agg(rulename order by rulename) from pg_rewrite
                    where ev_class = pg_class.oid and ev_type <> '1'), '[]') as rules,
         coalesce((select json_agg(json_build_object(
                     'name', attname, 'type', format_type(atttypid, atttypmod), 'isEnum', typtype = 'e',
                     'notNull', attnotnull, 'default', pg_get_expr(adbin, adrelid), 'identity', attidentity,
                     'isGenerated', attgenerated <> '',
                     'hasOwnCollation', attcollation <> typcollation) order by attnum)
                     from pg_attribute join pg_type on pg_type.oid = atttypid
                     left join pg_attrdef on adrelid = attrelid and adnum = attnum
                    where attrelid = pg_class.oid and attnum > 0 and not attisdropped), '[]') as columns,
         coalesce((select json_agg(json_build_object('name', conname, 'kind', contype, 'columns',
                     coalesce((select json_agg(attname order by attnum) from pg_attribute
                                where attrelid = conrelid and attnum > 0 and attnum = any (conkey)), '[]')) order by conname)
                     from pg_constraint where conrelid = pg_class.oid and contype in ('c', 'f', 'p', 'u', 'x')), '[]') as constraints,
         coalesce((select json_agg(json_build_object('name', index.relname, 'isUnique', indisunique, 'columns',
                     coalesce((select json_agg(attname order by attnum) from pg_attribute
                                where attrelid = pg_class.oid and attnum > 0 and (attnum = any (indkey) or exists (
                                  select from pg_depend where objid = indexrelid and classid = 'pg_class'::regclass
                                     and refobjid = pg_class.oid and refobjsubid = attnum))), '[]'))
                     order by index.relname)
                     from pg_index join pg_class as index on index.oid = indexrelid
                    where indrelid = pg_class.oid
                      and not exists (select from pg_constraint where conindid = indexrelid and conrelid = indrelid)), '[]') as indexes,
         coalesce((select json_agg(json_build_object('name', view, 'columns', needed) order by view) from (
                     select ev_class::regclass::text as view, json_agg(distinct attname) as needed
                       from pg_depend join pg_rewrite on pg_rewrite.oid = objid
                       join pg_attribute on attrelid = refobjid and attnum = refobjsubid
                      where classid = 'pg_rewrite'::regclass and refobjid = pg_class.oid and ev_class <> refobjid
                      group by ev_class) as views), '[]') as views,
         coalesce((select json_agg(json_build_object('constraint', conname, 'table', conrelid::regclass::text,
                     'columns', (select json_agg(attname order by place) from unnest(conkey) with ordinality as key (number, place)
                                   join pg_attribute on attrelid = conrelid and attnum = number),
                     'referenced', (select json_agg(attname order by place) from unnest(confkey) with ordinality as key (number, place)
                                      join pg_attribute on attrelid = confrelid and attnum = number)) order by conrelid::regclass::text, conname)
                     from pg_constraint where confrelid = pg_class.oid and contype = 'f' and conparentid = 0), '[]') as "references",
         (select sequence.relname from pg_class as sequence join pg_attribute on attrelid = pg_class.oid and attname = 'id'
           where sequence.relkind = 'S' and sequence.relnamespace = pg_class.relnamespace and exists (
             select from pg_depend left join pg_attrdef on classid = 'pg_attrdef'::regclass and objid = pg_attrdef.oid
              where (refobjid = sequence.oid and adrelid = pg_class.oid and adnum = attnum)
                 or (objid = sequence.oid and refobjid = pg_class.oid and refobjsubid = attnum and deptype = 'i'))
           limit 1) as sequence,
         (select json_agg(relname) from pg_class as other where other.relnamespace = pg_class.relnamespace) as neighbours
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
   where relname = 'users' and nspname = current_schema() and relkind not in ('i', 'I', 'S', 'c', 't')`;

/** Reads the shape of the table `users` from the catalog; `undefined` where our schema has none. */
export async function readShape(em: EntityManager): Promise<TableShape | undefined> {
  const [shape] = await em.execute<TableShape[]>(SHAPE);
  return shape;
}
