/* Memory of an ECU as a C compiler lays it out, and what it means.
 *
 *   layouts make ORDER FILE   fill the memory, write it in a byte order, list places and values
 *   layouts list FILE         read memory in the order of this machine, list values
 *
 * Lines: "address NAME OFFSET", "offset STRUCT.MEMBER OFFSET", "size STRUCT BYTES",
 * "value NAME WHAT NUMBERS..." with WHAT v for values (slowest dimension first), x y z 4 5 for axis points.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0x40000u
#define CAL 0x1000u

struct point { int16_t x; int32_t y; };
struct table { uint8_t n; uint16_t x[4]; float v[4]; };
struct inner { struct point p[2][3]; double gain; union { uint16_t unit; struct { uint16_t lo : 5; uint16_t hi : 11; } bits; } flags; };
struct outer { uint8_t k; struct inner in[2]; struct table t[3]; uint16_t raw[3]; uint32_t link; uint8_t sx[3]; uint16_t sv[3]; char blob[5]; };
struct __attribute__((packed)) packed { uint8_t n; uint16_t x[3]; double v[3]; };

struct image {
    struct { uint8_t u8; int8_t i8; uint16_t u16; int16_t i16; uint32_t u32; int32_t i32; uint64_t u64; int64_t i64;
             uint16_t f16; float f32; double f64; } scalar;
    struct { uint16_t id; uint8_t filler; double v; } ident;
    struct { uint32_t src; uint8_t n; uint16_t x[5]; uint32_t rip_x; float v[5]; uint32_t rip_w; } curve;
    struct { uint8_t nx, ny; int16_t x[4]; int8_t y[3]; int32_t v[3][4]; } row_map;
    struct { uint16_t x[4]; uint8_t y[3]; uint16_t v[4][3]; } col_map;
    struct { int8_t x[2]; uint16_t y[3]; uint32_t z[4]; int64_t v[4][3][2]; } cuboid;
    struct { uint16_t v[4][2][3]; } col_cuboid; /* z, x, y */
    struct { uint8_t x[2], y[2], z[3], w[2]; uint16_t v[2][3][2][2]; } cube4;
    struct { uint8_t x[2], y[2], z[2], w[2], u[3]; float v[3][2][2][2][2]; } cube5;
    struct { struct { uint8_t x; uint16_t col[3]; } e[4]; } with_x;
    struct { struct { uint16_t row[4]; uint8_t y; } e[3]; } with_y;
    struct { struct { uint16_t v[3]; uint32_t x; } e[4]; } curves;
    struct { int8_t offset; uint8_t shift; uint16_t v[6]; } shifted;
    struct { float offset; float distance; uint8_t v[5]; } spaced;
    struct { uint16_t n; int32_t pairs[5][2]; } rescale;
    uint8_t rescale_curve[9];
    struct { uint32_t px; uint64_t pv; } pointers;
    uint16_t pointed_x[3];
    int32_t pointed_v[3];
    struct { uint16_t x[4]; uint8_t v[4]; } falling;
    struct { uint8_t x[4]; uint8_t v[4]; } differences;
    struct packed tight;
    struct { uint8_t n; uint16_t x[6]; } axis;
    float axis_curve[4];
    union { uint32_t unit; struct { uint32_t a : 3; uint32_t b : 7; int32_t c : 12; uint32_t d : 10; } bits; } bits32;
    union { uint64_t unit; struct { uint64_t a : 1; int64_t b : 40; uint64_t c : 23; } bits; } bits64;
    int32_t matrix[3][4];
    uint16_t columns[4][3]; /* x, y */
    uint16_t block[2][4][3];
    char text[8];
    uint32_t via_pointer;
    struct outer s[2];
};

static struct image im;
static unsigned char swapped[sizeof im];
static int order; /* 0 last, 1 first, 2 first in words that lie low first, 3 last in words that lie high first */

static uint32_t rnd(void)
{
    static uint32_t state = 12345;
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static void turn(const void *place, size_t size, size_t count)
{
    size_t at = (size_t)((const unsigned char *)place - (const unsigned char *)&im);
    for (size_t n = 0; n < count; n++, at += size) {
        const unsigned char *from = (const unsigned char *)&im + at;
        for (size_t i = 0; i < size; i++) {
            size_t to = i;
            if (order == 1) to = size - 1 - i;
            if (order == 2 && size > 1) to = i ^ 1;
            if (order == 3 && size > 1) to = (size - 2 - (i & ~(size_t)1)) + (i & 1);
            swapped[at + to] = from[i];
        }
    }
}

#define TURN(field) turn(&im.field, sizeof im.field, 1)
#define TURN_ALL(field, item) turn(&im.field, sizeof(item), sizeof im.field / sizeof(item))
#define WHERE(name, field) printf("address %s %zu\n", name, offsetof(struct image, field))
#define LIST(name, what, count, format, value) do { \
        printf("value %s %s", name, what); \
        for (int i = 0; i < (int)(count); i++) printf(" " format, value); \
        putchar('\n'); } while (0)
#define ONE(name, format, field) LIST(name, "v", 1, format, im.field)

static void fill(void)
{
    unsigned char *all = (unsigned char *)&im;
    for (size_t i = 0; i < sizeof im; i++) all[i] = (unsigned char)rnd();
    im.scalar.f16 = 0xC248; /* -3.140625 */
    im.scalar.f32 = -1.5e-7f;
    im.scalar.f64 = 6.02214076e23;
    im.ident.v = 2.718281828459045;
    im.curve.n = 3;
    for (int i = 0; i < 5; i++) { im.curve.x[i] = (uint16_t)(100 * i + rnd() % 100); im.curve.v[i] = 0.25f * (int)(rnd() % 1000) - 90; }
    im.row_map.nx = 4;
    im.row_map.ny = 3;
    for (int i = 0; i < 48; i++) ((float *)im.cube5.v)[i] = (float)(int)rnd() / 64;
    im.shifted.offset = -20;
    im.shifted.shift = 3;
    im.spaced.offset = -0.5f;
    im.spaced.distance = 0.125f;
    im.rescale.n = 4;
    int32_t pairs[5][2] = {{-100, 0}, {0, 10}, {150, 40}, {400, 63}, {0, 0}};
    memcpy(im.rescale.pairs, pairs, sizeof pairs);
    im.pointers.px = BASE - CAL + (uint32_t)offsetof(struct image, pointed_x);
    im.pointers.pv = BASE - CAL + (uint32_t)offsetof(struct image, pointed_v);
    for (int i = 0; i < 4; i++) im.falling.x[i] = (uint16_t)(9000 - 1000 * i);
    for (int i = 0; i < 4; i++) im.differences.x[i] = (uint8_t)(10 + i);
    im.tight.n = 3;
    for (int i = 0; i < 3; i++) im.tight.v[i] = 1.0 / (i + 3);
    im.axis.n = 4;
    for (int i = 0; i < 4; i++) im.axis_curve[i] = -2.5f * i;
    memcpy(im.text, "Motor\0x", 8);
    im.via_pointer = BASE + (uint32_t)offsetof(struct image, matrix);
    for (int n = 0; n < 2; n++) {
        for (int m = 0; m < 2; m++) im.s[n].in[m].gain = 0.001 * (int)(rnd() % 5000);
        for (int m = 0; m < 3; m++) {
            im.s[n].t[m].n = (uint8_t)(2 + (m + n) % 3);
            for (int i = 0; i < 4; i++) im.s[n].t[m].v[i] = (float)(rnd() % 4096) / 8;
        }
        im.s[n].link = BASE + (uint32_t)(offsetof(struct image, s) + (size_t)(1 - n) * sizeof(struct outer));
    }
}

static void save(const char *path)
{
    memcpy(swapped, &im, sizeof im);
    TURN(scalar.u16); TURN(scalar.i16); TURN(scalar.u32); TURN(scalar.i32); TURN(scalar.u64); TURN(scalar.i64);
    TURN(scalar.f16); TURN(scalar.f32); TURN(scalar.f64);
    TURN(ident.id); TURN(ident.v);
    TURN(curve.src); TURN_ALL(curve.x, uint16_t); TURN(curve.rip_x); TURN_ALL(curve.v, float); TURN(curve.rip_w);
    TURN_ALL(row_map.x, int16_t); TURN_ALL(row_map.v, int32_t);
    TURN_ALL(col_map.x, uint16_t); TURN_ALL(col_map.v, uint16_t);
    TURN_ALL(cuboid.y, uint16_t); TURN_ALL(cuboid.z, uint32_t); TURN_ALL(cuboid.v, int64_t);
    TURN_ALL(col_cuboid.v, uint16_t); TURN_ALL(cube4.v, uint16_t); TURN_ALL(cube5.v, float);
    for (int i = 0; i < 4; i++) { TURN_ALL(with_x.e[i].col, uint16_t); TURN_ALL(curves.e[i].v, uint16_t); TURN(curves.e[i].x); }
    for (int i = 0; i < 3; i++) TURN_ALL(with_y.e[i].row, uint16_t);
    TURN_ALL(shifted.v, uint16_t); TURN(spaced.offset); TURN(spaced.distance);
    TURN(rescale.n); TURN_ALL(rescale.pairs, int32_t);
    TURN(pointers.px); TURN(pointers.pv); TURN_ALL(pointed_x, uint16_t); TURN_ALL(pointed_v, int32_t);
    TURN_ALL(falling.x, uint16_t); TURN_ALL(tight.x, uint16_t); TURN_ALL(tight.v, double);
    TURN_ALL(axis.x, uint16_t); TURN_ALL(axis_curve, float);
    TURN(bits32.unit); TURN(bits64.unit);
    TURN_ALL(matrix, int32_t); TURN_ALL(columns, uint16_t); TURN_ALL(block, uint16_t); TURN(via_pointer);
    for (int n = 0; n < 2; n++) {
        for (int m = 0; m < 2; m++) {
            for (int i = 0; i < 6; i++) { TURN(s[n].in[m].p[i / 3][i % 3].x); TURN(s[n].in[m].p[i / 3][i % 3].y); }
            TURN(s[n].in[m].gain); TURN(s[n].in[m].flags.unit);
        }
        for (int m = 0; m < 3; m++) { TURN_ALL(s[n].t[m].x, uint16_t); TURN_ALL(s[n].t[m].v, float); }
        TURN_ALL(s[n].raw, uint16_t); TURN(s[n].link); TURN_ALL(s[n].sv, uint16_t);
    }
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(swapped, sizeof im, 1, file) != 1 || fclose(file)) exit(2);
}

static void places(void)
{
    WHERE("u8", scalar.u8); WHERE("i8", scalar.i8); WHERE("u16", scalar.u16); WHERE("i16", scalar.i16); WHERE("u32", scalar.u32);
    WHERE("i32", scalar.i32); WHERE("u64", scalar.u64); WHERE("i64", scalar.i64); WHERE("f16", scalar.f16); WHERE("f32", scalar.f32);
    WHERE("f64", scalar.f64); WHERE("ident", ident); WHERE("curve", curve); WHERE("row_map", row_map); WHERE("col_map", col_map);
    WHERE("cuboid", cuboid); WHERE("col_cuboid", col_cuboid); WHERE("cube4", cube4); WHERE("cube5", cube5); WHERE("with_x", with_x);
    WHERE("with_y", with_y); WHERE("curve_a", curves.e[0].v[0]); WHERE("curve_b", curves.e[0].v[1]); WHERE("curve_c", curves.e[0].v[2]);
    WHERE("shifted", shifted); WHERE("spaced", spaced); WHERE("rescale", rescale); WHERE("rescale_curve", rescale_curve);
    WHERE("pointers", pointers); WHERE("falling", falling); WHERE("differences", differences); WHERE("tight", tight);
    WHERE("axis", axis); WHERE("axis_curve", axis_curve); WHERE("bits32", bits32); WHERE("bits64", bits64); WHERE("matrix", matrix);
    WHERE("columns", columns); WHERE("block", block); WHERE("text", text); WHERE("via_pointer", via_pointer); WHERE("s", s);
    printf("size image %zu\nsize point %zu\nsize inner %zu\nsize outer %zu\n", sizeof im, sizeof(struct point), sizeof(struct inner),
           sizeof(struct outer));
    printf("offset point.x %zu\noffset point.y %zu\n", offsetof(struct point, x), offsetof(struct point, y));
    printf("offset inner.p %zu\noffset inner.gain %zu\noffset inner.flags %zu\n", offsetof(struct inner, p), offsetof(struct inner, gain),
           offsetof(struct inner, flags));
    printf("offset outer.k %zu\noffset outer.in %zu\noffset outer.t %zu\noffset outer.raw %zu\noffset outer.link %zu\n",
           offsetof(struct outer, k), offsetof(struct outer, in), offsetof(struct outer, t), offsetof(struct outer, raw),
           offsetof(struct outer, link));
    printf("offset outer.sx %zu\noffset outer.sv %zu\noffset outer.blob %zu\n", offsetof(struct outer, sx), offsetof(struct outer, sv),
           offsetof(struct outer, blob));
}

static void structures(void)
{
    char name[64];
    for (int n = 0; n < 2; n++) {
        struct outer *o = &im.s[n];
#define NAMED(...) snprintf(name, sizeof name, __VA_ARGS__)
        NAMED("s[%d].k", n); LIST(name, "v", 1, "%u", o->k);
        NAMED("s[%d].link.k", 1 - n); LIST(name, "v", 1, "%u", o->k);
        NAMED("s[%d].raw", n); LIST(name, "v", 3, "%u", o->raw[i]);
        NAMED("s[%d].raw[1]", n); LIST(name, "v", 1, "%u", o->raw[1]);
        NAMED("s[%d].raw._2_", n); LIST(name, "v", 1, "%u", o->raw[2]);
        NAMED("s[%d].sx", n); LIST(name, "v", 3, "%u", o->sx[i]);
        NAMED("s[%d].sv", n); LIST(name, "v", 3, "%u", o->sv[i]); LIST(name, "x", 3, "%u", o->sx[i]);
        for (int m = 0; m < 2; m++) {
            NAMED("s[%d].in[%d].gain", n, m); LIST(name, "v", 1, "%.17g", o->in[m].gain);
            NAMED("s[%d].in[%d].lo", n, m); LIST(name, "v", 1, "%u", (unsigned)o->in[m].flags.bits.lo);
            NAMED("s[%d].in[%d].hi", n, m); LIST(name, "v", 1, "%u", (unsigned)o->in[m].flags.bits.hi);
            for (int y = 0; y < 2; y++)
                for (int x = 0; x < 3; x++) {
                    NAMED("s[%d].in[%d].p[%d][%d].x", n, m, y, x); LIST(name, "v", 1, "%d", o->in[m].p[y][x].x);
                    NAMED("s[%d].in[%d].p[%d][%d].y", n, m, y, x); LIST(name, "v", 1, "%d", o->in[m].p[y][x].y);
                }
        }
        for (int m = 0; m < 3; m++) {
            NAMED("s[%d].t[%d]", n, m);
            LIST(name, "v", o->t[m].n, "%.9g", o->t[m].v[i]);
            LIST(name, "x", o->t[m].n, "%u", o->t[m].x[i]);
        }
    }
}

static void values(void)
{
    ONE("u8", "%u", scalar.u8); ONE("i8", "%d", scalar.i8); ONE("u16", "%u", scalar.u16); ONE("i16", "%d", scalar.i16);
    ONE("u32", "%u", scalar.u32); ONE("i32", "%d", scalar.i32); ONE("u64", "%llu", scalar.u64 + 0ull); ONE("i64", "%lld", scalar.i64 + 0ll);
    LIST("f16", "v", 1, "%.9g", im.scalar.f16 == 0xC248 ? -3.140625 : 0.0); ONE("f32", "%.9g", scalar.f32); ONE("f64", "%.17g", scalar.f64);
    ONE("ident", "%.17g", ident.v);
    LIST("curve", "v", im.curve.n, "%.9g", im.curve.v[i]); LIST("curve", "x", im.curve.n, "%u", im.curve.x[i]);
    LIST("curve", "src_addr_x", 1, "%u", im.curve.src); LIST("curve", "rip_addr_x", 1, "%u", im.curve.rip_x);
    LIST("curve", "rip_addr_w", 1, "%u", im.curve.rip_w); LIST("curve", "no_axis_pts_x", 1, "%u", im.curve.n);
    LIST("ident", "identification", 1, "%u", im.ident.id);
    LIST("shifted", "offset_x", 1, "%d", im.shifted.offset); LIST("shifted", "shift_op_x", 1, "%u", im.shifted.shift);
    LIST("spaced", "offset_x", 1, "%g", im.spaced.offset); LIST("spaced", "dist_op_x", 1, "%g", im.spaced.distance);
    LIST("rescale", "no_rescale_x", 1, "%u", im.rescale.n); LIST("axis", "no_axis_pts_x", 1, "%u", im.axis.n);
    LIST("row_map", "v", 12, "%d", im.row_map.v[i / 4][i % 4]);
    LIST("row_map", "x", 4, "%d", im.row_map.x[i]); LIST("row_map", "y", 3, "%d", im.row_map.y[i]);
    LIST("col_map", "v", 12, "%u", im.col_map.v[i % 4][i / 4]);
    LIST("col_map", "x", 4, "%u", im.col_map.x[i]); LIST("col_map", "y", 3, "%u", im.col_map.y[i]);
    LIST("cuboid", "v", 24, "%lld", im.cuboid.v[i / 6][i / 2 % 3][i % 2] + 0ll);
    LIST("cuboid", "x", 2, "%d", im.cuboid.x[i]); LIST("cuboid", "y", 3, "%u", im.cuboid.y[i]); LIST("cuboid", "z", 4, "%u", im.cuboid.z[i]);
    LIST("col_cuboid", "v", 24, "%u", im.col_cuboid.v[i / 6][i % 2][i / 2 % 3]);
    LIST("cube4", "v", 24, "%u", im.cube4.v[i / 12][i / 4 % 3][i / 2 % 2][i % 2]);
    LIST("cube4", "z", 3, "%u", im.cube4.z[i]); LIST("cube4", "4", 2, "%u", im.cube4.w[i]);
    LIST("cube5", "v", 48, "%.9g", im.cube5.v[i / 16][i / 8 % 2][i / 4 % 2][i / 2 % 2][i % 2]);
    LIST("cube5", "5", 3, "%u", im.cube5.u[i]); LIST("cube5", "4", 2, "%u", im.cube5.w[i]);
    LIST("with_x", "v", 12, "%u", im.with_x.e[i % 4].col[i / 4]); LIST("with_x", "x", 4, "%u", im.with_x.e[i].x);
    LIST("with_y", "v", 12, "%u", im.with_y.e[i / 4].row[i % 4]); LIST("with_y", "y", 3, "%u", im.with_y.e[i].y);
    LIST("curve_a", "v", 4, "%u", im.curves.e[i].v[0]); LIST("curve_b", "v", 4, "%u", im.curves.e[i].v[1]);
    LIST("curve_c", "v", 4, "%u", im.curves.e[i].v[2]);
    LIST("curve_a", "x", 4, "%u", im.curves.e[i].x); LIST("curve_b", "x", 4, "%u", im.curves.e[i].x);
    LIST("curve_c", "x", 4, "%u", im.curves.e[i].x);
    LIST("shifted", "v", 6, "%u", im.shifted.v[i]); LIST("shifted", "x", 6, "%d", im.shifted.offset + i * (1 << im.shifted.shift));
    LIST("spaced", "v", 5, "%u", im.spaced.v[i]); LIST("spaced", "x", 5, "%g", im.spaced.offset + i * im.spaced.distance);
    double found[9];
    for (int k = 0; k < 9; k++) { /* the interpolation routine of the ECU */
        double v = 8.0 * k;
        int p = 0;
        while (p < im.rescale.n - 2 && v > im.rescale.pairs[p + 1][1]) p++;
        int32_t *lo = im.rescale.pairs[p], *hi = im.rescale.pairs[p + 1];
        found[k] = k == 8 ? hi[0] : lo[0] + (v - lo[1]) * (hi[0] - lo[0]) / (hi[1] - lo[1]);
    }
    LIST("rescale", "v", 9, "%.17g", found[i]);
    LIST("rescale_curve", "v", 9, "%u", im.rescale_curve[i]); LIST("rescale_curve", "x", 9, "%.17g", found[i]);
    LIST("pointers", "v", 3, "%d", im.pointed_v[i]); LIST("pointers", "x", 3, "%u", im.pointed_x[i]);
    LIST("falling", "v", 4, "%u", im.falling.v[3 - i]); LIST("falling", "x", 4, "%u", im.falling.x[3 - i]);
    int sum = 0;
    LIST("differences", "x", 4, "%d", sum += im.differences.x[i]);
    LIST("differences", "v", 4, "%u", im.differences.v[i]);
    LIST("tight", "v", 3, "%.17g", im.tight.v[i]); LIST("tight", "x", 3, "%u", im.tight.x[i]);
    LIST("axis", "v", im.axis.n, "%u", im.axis.x[i]);
    LIST("axis_curve", "v", im.axis.n, "%.9g", im.axis_curve[i]); LIST("axis_curve", "x", im.axis.n, "%u", im.axis.x[i]);
    ONE("a32", "%u", bits32.bits.a); ONE("b32", "%u", bits32.bits.b); ONE("c32", "%d", bits32.bits.c); ONE("d32", "%u", bits32.bits.d);
    LIST("a64", "v", 1, "%u", (unsigned)im.bits64.bits.a); LIST("b64", "v", 1, "%lld", im.bits64.bits.b + 0ll);
    LIST("c64", "v", 1, "%u", (unsigned)im.bits64.bits.c);
    LIST("matrix", "v", 12, "%d", im.matrix[i / 4][i % 4]); LIST("columns", "v", 12, "%u", im.columns[i % 4][i / 4]);
    LIST("matrix[1][2]", "v", 1, "%d", im.matrix[1][2]); LIST("columns[2][3]", "v", 1, "%u", im.columns[3][2]);
    LIST("block", "v", 24, "%u", im.block[i / 12][i / 3 % 4][i % 3]); LIST("block[1][3][0]", "v", 1, "%u", im.block[1][3][0]);
    LIST("via_pointer", "v", 12, "%d", im.matrix[i / 4][i % 4]);
    structures();
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "make")) {
        order = atoi(argv[2]);
        fill();
        save(argv[3]);
        places();
    } else if (argc == 3 && !strcmp(argv[1], "list")) {
        FILE *file = fopen(argv[2], "rb");
        if (!file || fread(&im, sizeof im, 1, file) != 1) return 2;
        fclose(file);
    } else {
        return 1;
    }
    values();
    return 0;
}
