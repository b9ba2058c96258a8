/* Calls one function of a shared library, like child.py, as a program of its own.
 *
 * Build it for the architecture of the library and put it beside it:
 *
 *     gcc -m32 -o xcaliper-helper-x86 helper.c -ldl                  (Linux)
 *     cl /Fe:xcaliper-helper-x86.exe helper.c                        (Windows, 32-bit shell)
 *
 * Request and answer are described in child.py. The system bounds time; memory is not bounded here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#include <windows.h>
#define CDECL __cdecl
#define STDCALL __stdcall
#define NOWHERE "NUL"
#define dup _dup
#define fdopen _fdopen
typedef HMODULE library_t;
#else
#include <dlfcn.h>
#include <unistd.h>
#define CDECL
#define STDCALL
#define NOWHERE "/dev/null"
typedef void *library_t;
#endif

typedef unsigned char byte_t;
typedef unsigned int dword_t;
typedef struct {
    void *memory;
    unsigned long length;
} range_t;

typedef dword_t(CDECL *key_c)(byte_t, byte_t, byte_t *, byte_t *, byte_t *);
typedef dword_t(STDCALL *key_s)(byte_t, byte_t, byte_t *, byte_t *, byte_t *);
typedef dword_t(CDECL *privileges_c)(byte_t *);
typedef dword_t(STDCALL *privileges_s)(byte_t *);
typedef int(CDECL *checksum_c)(range_t *, int, byte_t *, int *, unsigned short);
typedef int(STDCALL *checksum_s)(range_t *, int, byte_t *, int *, unsigned short);

static FILE *answers;
static int stdcall_wanted;

static void give(const char *text) {
    fprintf(answers, "%s\n.\n", text);
    fflush(answers);
    _Exit(0);
}

static void problem(const char *kind, const char *text) {
    char line[1024];
    char *at;
    snprintf(line, sizeof line, "problem %s %s", kind, text);
    for (at = line; *at != 0; at++) {
        if (*at == '\n' || *at == '\r') {
            *at = ' ';
        }
    }
    give(line);
}

static void value(long result, const byte_t *data, size_t size) {
    size_t i;
    fprintf(answers, "result %ld\nvalue ", result);
    for (i = 0; i < size; i++) {
        fprintf(answers, "%02x", data[i]);
    }
    fputs("\n.\n", answers);
    fflush(answers);
    _Exit(0);
}

static library_t load(const char *path) {
#ifdef _WIN32
    char text[64];
    library_t made;
    SetErrorMode(0x8003);
    made = LoadLibraryExA(path, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    if (made == NULL) {
        snprintf(text, sizeof text, "error %lu", (unsigned long)GetLastError());
        problem("load", text);
    }
#else
    library_t made = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (made == NULL) {
        problem("load", dlerror());
    }
#endif
    return made;
}

static void *find(library_t library, const char *name) {
#ifdef _WIN32
    return (void *)GetProcAddress(library, name);
#else
    return dlsym(library, name);
#endif
}

/* A function by its name, or by the name that stdcall gives it. */
static void *function(library_t library, const char *name, int stack_bytes) {
    char decorated[64];
    void *found = find(library, name);
    if (found == NULL) {
        snprintf(decorated, sizeof decorated, "_%s@%d", name, stack_bytes);
        found = find(library, decorated);
        stdcall_wanted |= found != NULL;
    }
    if (found == NULL) {
        problem("symbol", name);
    }
    return found;
}

static size_t from_hex(const char *text, byte_t *room) {
    size_t size = 0;
    unsigned int one;
    while (sscanf(text + 2 * size, "%2x", &one) == 1) {
        room[size++] = (byte_t)one;
    }
    return size;
}

static char *field(char *request, const char *name) {
    size_t length = strlen(name);
    char *line = request;
    while (line != NULL && *line != 0) {
        if (strncmp(line, name, length) == 0 && line[length] == ' ') {
            return line + length + 1;
        }
        line += strlen(line) + 1;
    }
    return (char *)"";
}

static void key(library_t library, char *request) {
    static byte_t seed[256], room[256];
    byte_t length = 255;
    dword_t result;
    size_t size = strlen(field(request, "seed")) > 510 ? 0 : from_hex(field(request, "seed"), seed);
    byte_t privilege = (byte_t)atoi(field(request, "privilege"));
    void *call = function(library, "XCP_ComputeKeyFromSeed", 20);
    if (stdcall_wanted) {
        result = ((key_s)call)(privilege, (byte_t)size, seed, &length, room);
    } else {
        result = ((key_c)call)(privilege, (byte_t)size, seed, &length, room);
    }
    value((long)result, room, length);
}

static void privileges(library_t library) {
    byte_t mask = 0;
    dword_t result;
    void *call = function(library, "XCP_GetAvailablePrivileges", 4);
    if (stdcall_wanted) {
        result = ((privileges_s)call)(&mask);
    } else {
        result = ((privileges_c)call)(&mask);
    }
    value((long)result, &mask, 1);
}

static void checksum(library_t library, char *request) {
    byte_t room[8] = {0};
    int significant = 0, result;
    char *text = field(request, "data");
    byte_t *memory = malloc(strlen(text) / 2 + 1);
    range_t ranges[1];
    void *call = function(library, "CalcChecksum", 20);
    if (memory == NULL) {
        _Exit(3);
    }
    ranges[0].memory = memory;
    ranges[0].length = (unsigned long)from_hex(text, memory);
    if (stdcall_wanted) {
        result = ((checksum_s)call)(ranges, 1, room, &significant, 0);
    } else {
        result = ((checksum_c)call)(ranges, 1, room, &significant, 0);
    }
    significant = significant < 0 ? 0 : significant > 8 ? 8 : significant;
    value(result, room, (size_t)significant);
}

/* All of stdin, its lines ended by zeros; two zeros at the end. */
static char *request_of_stdin(void) {
    size_t size = 0, room = 1 << 16;
    char *text = malloc(room), *at;
    while (text != NULL) {
        size += fread(text + size, 1, room - size - 2, stdin);
        if (size < room - 2) {
            break;
        }
        room *= 2;
        text = realloc(text, room);
    }
    if (text == NULL) {
        _Exit(3);
    }
    text[size] = text[size + 1] = 0;
    for (at = text; at < text + size; at++) {
        if (*at == '\n') {
            *at = 0;
        }
    }
    return text;
}

int main(void) {
    char *request, *call;
    library_t library;
#ifdef _WIN32
    _setmode(0, _O_BINARY);
#endif
    request = request_of_stdin();
    answers = fdopen(dup(1), "wb");
    if (answers == NULL || freopen(NOWHERE, "w", stdout) == NULL ||
        freopen(NOWHERE, "w", stderr) == NULL || freopen(NOWHERE, "r", stdin) == NULL) {
        return 4;
    }
    stdcall_wanted = strcmp(field(request, "convention"), "stdcall") == 0;
    library = load(field(request, "library"));
    call = field(request, "call");
    if (strcmp(call, "key") == 0) {
        key(library, request);
    } else if (strcmp(call, "privileges") == 0) {
        privileges(library);
    } else if (strcmp(call, "checksum") == 0) {
        checksum(library, request);
    }
    return 5;
}
