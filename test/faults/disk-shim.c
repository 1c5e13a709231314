// A disk that forgets and fails, put between a process and the C library by LD_PRELOAD.
//
// What the process writes below ROOT is written as ever. Beside it, under SHADOW, stands what a power cut would leave:
// a file's bytes get there when the file is synced, names when they would. Killing the process and taking SHADOW/tree
// for the disk is a power cut. Errors come at the call that the control block names.
//
// CELLPLANE_DISK_ROOT       folder that is watched (absolute)
// CELLPLANE_DISK_SHADOW     folder with `tree` (a copy of ROOT) and `objects` (empty); unset: nothing is forgotten
// CELLPLANE_DISK_CONTROL    file of 128 bytes: the control block below, shared with whoever steers
// CELLPLANE_DISK_SEED       for what the disk writes out by itself
// CELLPLANE_DISK_WRITEBACK  per mille of the calls after which it writes something out unasked
//
// CELLPLANE_DISK_NAMES      `folder`: only a sync of a folder makes the names in it durable, in their order
//
// Else any sync makes all names durable that were changed before it, in their order, as the journals of ext4, xfs and btrfs
// do. With `folder`, a folder that is synced or renamed has its own name too: that much every file system keeps.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OP_WRITE = 1, OP_SYNC = 2, OP_OPEN = 4, OP_RENAME = 8, OP_UNLINK = 16, OP_READ = 32, OP_MAP = 64, OP_MAKE = 128 };

struct control {
  int64_t failing;   // operations that fail, as bits
  int64_t error;     // errno that they fail with
  int64_t skip;      // so many of them go well first
  int64_t times;     // so many fail; -1: all
  int64_t space;     // bytes that still fit; -1: any
  int64_t kill_at;   // SIGKILL at this operation from now on that changes something; 0: never
  int64_t only_logs; // 1: only files that end in .log fail
  int64_t unused;
  int64_t changes, syncs, writes, failed;
};

static struct control fallback = {.space = -1};
static struct control *control = &fallback;
static char root[4096], tree[4096], objects[4096];
static size_t root_length;
static int has_shadow, writeback, by_folder;
static uint64_t chance;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) static __typeof__(name) *real_##name
REAL(open64); REAL(write); REAL(writev); REAL(pwrite64); REAL(read); REAL(pread64); REAL(fsync); REAL(fdatasync);
REAL(ftruncate64); REAL(rename); REAL(link); REAL(unlink); REAL(mkdir); REAL(rmdir); REAL(close); REAL(mmap64);
REAL(fopen64); REAL(fileno);

struct object { int id; off_t dirty_from; int is_dirty; };
struct name { struct name *next; struct object *object; char path[]; };
struct entry { struct object *object; dev_t device; ino_t inode; int is_folder, is_log; char *folder; };
struct stream { struct stream *next; FILE *file; int fd; };
enum change_kind { CREATE, RENAME, LINK, UNLINK, MKDIR, RMDIR };
struct change { struct change *next; enum change_kind kind; int id; char *from, *to; };

#define BUCKETS 1024
#define FDS 65536
static struct name *names[BUCKETS];
static struct entry entries[FDS];
static struct stream *streams;
static struct change *journal, **journal_end = &journal;
static int ids;

static void fatal(const char *what) {
  dprintf(2, "disk-shim: %s: %s\n", what, strerror(errno));
  abort();
}

__attribute__((constructor)) static void start(void) {
#define FIND(name) if ((real_##name = dlsym(RTLD_NEXT, #name)) == NULL) fatal(#name)
  FIND(open64); FIND(write); FIND(writev); FIND(pwrite64); FIND(read); FIND(pread64); FIND(fsync); FIND(fdatasync);
  FIND(ftruncate64); FIND(rename); FIND(link); FIND(unlink); FIND(mkdir); FIND(rmdir); FIND(close); FIND(mmap64);
  FIND(fopen64); FIND(fileno);
  const char *value;
  if ((value = getenv("CELLPLANE_DISK_ROOT")) != NULL) {
    snprintf(root, sizeof root, "%s", value);
    root_length = strlen(root);
  }
  if ((value = getenv("CELLPLANE_DISK_SHADOW")) != NULL) {
    has_shadow = 1;
    snprintf(tree, sizeof tree, "%.4000s/tree", value);
    snprintf(objects, sizeof objects, "%.4000s/objects", value);
  }
  by_folder = (value = getenv("CELLPLANE_DISK_NAMES")) != NULL && strcmp(value, "folder") == 0;
  if ((value = getenv("CELLPLANE_DISK_SEED")) != NULL) chance = strtoull(value, NULL, 10);
  chance = chance * 2654435761u + 88172645463325252ull;
  if ((value = getenv("CELLPLANE_DISK_WRITEBACK")) != NULL) writeback = atoi(value);
  if ((value = getenv("CELLPLANE_DISK_CONTROL")) != NULL) {
    int fd = real_open64(value, O_RDWR);
    if (fd < 0) fatal(value);
    void *shared = real_mmap64(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) fatal("mmap");
    control = shared;
    real_close(fd);
  }
}

static uint64_t draw(void) {
  chance ^= chance << 13;
  chance ^= chance >> 7;
  chance ^= chance << 17;
  return chance;
}

static int is_ours(const char *path) {
  return root_length > 0 && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static int is_log(const char *path) {
  size_t length = strlen(path);
  return length > 4 && strcmp(path + length - 4, ".log") == 0;
}

/** Sets errno and returns 1 when this operation is to fail. */
static int fails(int operation, int log) {
  if ((control->failing & operation) == 0 || control->times == 0) return 0;
  if (control->only_logs && !log) return 0;
  if (control->skip > 0) {
    control->skip--;
    return 0;
  }
  if (control->times > 0) control->times--;
  control->failed++;
  errno = (int)control->error;
  return 1;
}

static void count_change(void) {
  control->changes++;
  if (control->kill_at > 0 && --control->kill_at == 0) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
}

// ---- names and objects -------------------------------------------------------------------------------------------

static unsigned hash_of(const char *path) {
  unsigned hash = 5381;
  while (*path != 0) hash = hash * 33 + (unsigned char)*path++;
  return hash % BUCKETS;
}

static struct name **find(const char *path) {
  struct name **at = &names[hash_of(path)];
  while (*at != NULL && strcmp((*at)->path, path) != 0) at = &(*at)->next;
  return at;
}

static void forget(const char *path) {
  struct name **at = find(path), *found = *at;
  if (found == NULL) return;
  *at = found->next;
  free(found);
}

static void bind_name(const char *path, struct object *object) {
  forget(path);
  struct name *name = malloc(sizeof *name + strlen(path) + 1);
  name->object = object;
  strcpy(name->path, path);
  struct name **bucket = &names[hash_of(path)];
  name->next = *bucket;
  *bucket = name;
}

static void in_tree(char *out, const char *path) { snprintf(out, 4096, "%.2000s%.2000s", tree, path + root_length); }
static void in_objects(char *out, int id) { snprintf(out, 4096, "%.4000s/%d", objects, id); }

static struct object *new_object(off_t dirty_from, int is_dirty) {
  struct object *object = malloc(sizeof *object);
  object->id = ++ids;
  object->dirty_from = dirty_from;
  object->is_dirty = is_dirty;
  return object;
}

/** The object of a file that exists. One that nobody has touched yet is what it was at the start, and durable. */
static struct object *object_at(const char *path) {
  struct name *known = *find(path);
  if (known != NULL) return known->object;
  struct object *object = new_object(0, 0);
  if (has_shadow) {
    char from[4096], to[4096];
    in_tree(from, path);
    in_objects(to, object->id);
    if (real_link(from, to) != 0) object->is_dirty = 1;
  }
  bind_name(path, object);
  return object;
}

/** A folder's files move with it. */
static void move_names(const char *from, const char *to) {
  size_t length = strlen(from);
  struct name *moved = NULL;
  for (int bucket = 0; bucket < BUCKETS; bucket++) {
    for (struct name **at = &names[bucket]; *at != NULL;) {
      struct name *name = *at;
      if (strncmp(name->path, from, length) == 0 && (name->path[length] == '/' || name->path[length] == 0)) {
        *at = name->next;
        name->next = moved;
        moved = name;
      } else {
        at = &name->next;
      }
    }
  }
  while (moved != NULL) {
    struct name *next = moved->next;
    char path[4096];
    snprintf(path, sizeof path, "%.2000s%.2000s", to, moved->path + length);
    bind_name(path, moved->object);
    free(moved);
    moved = next;
  }
}

// ---- what is durable ---------------------------------------------------------------------------------------------

static void add_change(enum change_kind kind, int id, const char *from, const char *to) {
  if (!has_shadow) return;
  struct change *change = malloc(sizeof *change);
  change->next = NULL;
  change->kind = kind;
  change->id = id;
  change->from = from == NULL ? NULL : strdup(from);
  change->to = to == NULL ? NULL : strdup(to);
  *journal_end = change;
  journal_end = &change->next;
}

static void make_durable(struct change *change) {
  char from[4096], to[4096];
  if (change->from != NULL) in_tree(from, change->from);
  if (change->to != NULL) in_tree(to, change->to);
  switch (change->kind) {
    case CREATE: {
      char object[4096];
      in_objects(object, change->id);
      int fd = real_open64(object, O_WRONLY | O_CREAT, 0600);
      if (fd >= 0) real_close(fd);
      real_unlink(to);
      real_link(object, to);
      break;
    }
    case RENAME: real_rename(from, to); break;
    case LINK: {
      // Not from the other name, which may not be durable.
      char object[4096];
      in_objects(object, change->id);
      int fd = real_open64(object, O_WRONLY | O_CREAT, 0600);
      if (fd >= 0) real_close(fd);
      real_link(object, to);
      break;
    }
    case UNLINK: real_unlink(to); break;
    case MKDIR: real_mkdir(to, 0700); break;
    case RMDIR: real_rmdir(to); break;
  }
  free(change->from);
  free(change->to);
  free(change);
}

static void flush_names(void) {
  while (journal != NULL) {
    struct change *change = journal;
    journal = change->next;
    make_durable(change);
  }
  journal_end = &journal;
}

static int is_in(const char *path, const char *folder) {
  size_t length = strlen(folder);
  return strncmp(path, folder, length) == 0 && path[length] == '/' && strchr(path + length + 1, '/') == NULL;
}

/** The names in one folder, and the folder's own. */
static void flush_names_of(const char *folder) {
  struct change **at = &journal;
  while (*at != NULL) {
    struct change *change = *at;
    int own = change->kind == MKDIR && strcmp(change->to, folder) == 0;
    if (!own && !is_in(change->to, folder)) {
      at = &change->next;
      continue;
    }
    *at = change->next;
    make_durable(change);
  }
  journal_end = at;
}

/** Copies what was written since the last sync; `part` cuts it short, as when the disk writes out by itself. */
static void flush_data(struct object *object, int fd, int part) {
  if (!object->is_dirty) return;
  char path[4096], self[64];
  in_objects(path, object->id);
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  int source = real_open64(self, O_RDONLY);
  int target = real_open64(path, O_WRONLY | O_CREAT, 0600);
  struct stat status;
  if (source < 0 || target < 0 || fstat(source, &status) != 0) fatal(path);
  off_t end = status.st_size, at = object->dirty_from;
  if (part && end > at) end = at + (off_t)(draw() % (uint64_t)(end - at + 1));
  char buffer[65536];
  while (at < end) {
    size_t wanted = (size_t)(end - at) < sizeof buffer ? (size_t)(end - at) : sizeof buffer;
    ssize_t got = real_pread64(source, buffer, wanted, at);
    if (got <= 0) break;
    if (real_pwrite64(target, buffer, (size_t)got, at) != got) fatal(path);
    at += got;
  }
  if (!part) {
    if (real_ftruncate64(target, status.st_size) != 0) fatal(path);
    object->dirty_from = status.st_size;
    object->is_dirty = 0;
  }
  real_close(source);
  real_close(target);
}

static int by_chance(void) { return has_shadow && writeback > 0 && (int)(draw() % 1000) < writeback; }

static void maybe_flush_names(void) {
  if (by_chance()) flush_names();
}

// ---- open files --------------------------------------------------------------------------------------------------

static void keep(int fd, struct object *object, int log, const char *folder) {
  struct stat status;
  if (fd < 0 || fd >= FDS || fstat(fd, &status) != 0) return;
  free(entries[fd].folder);
  entries[fd] = (struct entry){object, status.st_dev, status.st_ino, S_ISDIR(status.st_mode), log,
                               folder == NULL ? NULL : strdup(folder)};
}

/** NULL for what is none of ours; file numbers are given again without our hearing of every close. */
static struct entry *entry_of(int fd) {
  if (root_length == 0 || fd < 0 || fd >= FDS) return NULL;
  struct entry *entry = &entries[fd];
  if (entry->object == NULL && !entry->is_folder) return NULL;
  struct stat status;
  if (fstat(fd, &status) != 0 || status.st_ino != entry->inode || status.st_dev != entry->device) return NULL;
  return entry;
}

static int open_ours(const char *path, int flags, mode_t mode) {
  pthread_mutex_lock(&mutex);
  int fd = -1;
  struct stat status;
  int exists = stat(path, &status) == 0;
  int is_folder = exists && S_ISDIR(status.st_mode);
  int creates = !exists && (flags & O_CREAT) != 0;
  if (creates) count_change();
  if (!is_folder && fails(OP_OPEN, is_log(path))) goto done;
  if (creates && control->space == 0) {
    errno = ENOSPC;
    goto done;
  }
  fd = real_open64(path, flags, mode);
  if (fd < 0) goto done;
  if (is_folder) {
    keep(fd, NULL, 0, path);
  } else if (creates) {
    struct object *object = new_object(0, 1);
    bind_name(path, object);
    add_change(CREATE, object->id, NULL, path);
    keep(fd, object, is_log(path), NULL);
    maybe_flush_names();
  } else {
    struct object *object = object_at(path);
    if ((flags & O_TRUNC) != 0) {
      object->dirty_from = 0;
      object->is_dirty = 1;
    }
    keep(fd, object, is_log(path), NULL);
  }
done:
  pthread_mutex_unlock(&mutex);
  return fd;
}

int open64(const char *path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list list;
    va_start(list, flags);
    mode = va_arg(list, mode_t);
    va_end(list);
  }
  return is_ours(path) ? open_ours(path, flags, mode) : real_open64(path, flags, mode);
}

int open(const char *path, int flags, ...) __attribute__((alias("open64")));

int close(int fd) {
  if (fd >= 0 && fd < FDS && root_length > 0) {
    pthread_mutex_lock(&mutex);
    free(entries[fd].folder);
    entries[fd] = (struct entry){0};
    pthread_mutex_unlock(&mutex);
  }
  return real_close(fd);
}

/** How much of a write of `wanted` bytes is done: less on a full disk, -1 for an error. */
static ssize_t room_for(struct entry *entry, size_t wanted) {
  count_change();
  control->writes++;
  if (fails(OP_WRITE, entry->is_log)) return -1;
  if (control->space < 0) return (ssize_t)wanted;
  if (control->space == 0 && wanted > 0) {
    control->failed++;
    errno = ENOSPC;
    return -1;
  }
  size_t fits = (int64_t)wanted < control->space ? wanted : (size_t)control->space;
  control->space -= (int64_t)fits;
  return (ssize_t)fits;
}

static void wrote(struct entry *entry, int fd, off_t at) {
  struct object *object = entry->object;
  if (object == NULL) return;
  if (!object->is_dirty || at < object->dirty_from) object->dirty_from = at;
  object->is_dirty = 1;
  if (!by_chance()) return;
  flush_names();
  flush_data(object, fd, 1);
}

static ssize_t write_ours(struct entry *entry, int fd, const void *bytes, size_t count, off_t at, int positioned) {
  ssize_t fits = room_for(entry, count);
  if (fits < 0) return -1;
  if (!positioned) at = (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
  ssize_t done = positioned ? real_pwrite64(fd, bytes, (size_t)fits, at) : real_write(fd, bytes, (size_t)fits);
  if (done > 0) wrote(entry, fd, at);
  return done;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  if (root_length == 0) return real_write(fd, bytes, count);
  pthread_mutex_lock(&mutex);
  struct entry *entry = entry_of(fd);
  if (entry == NULL) {
    pthread_mutex_unlock(&mutex);
    return real_write(fd, bytes, count);
  }
  ssize_t done = write_ours(entry, fd, bytes, count, 0, 0);
  pthread_mutex_unlock(&mutex);
  return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  pthread_mutex_lock(&mutex);
  struct entry *entry = entry_of(fd);
  if (entry == NULL) {
    pthread_mutex_unlock(&mutex);
    return real_pwrite64(fd, bytes, count, at);
  }
  ssize_t done = write_ours(entry, fd, bytes, count, at, 1);
  pthread_mutex_unlock(&mutex);
  return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  pthread_mutex_lock(&mutex);
  struct entry *entry = entry_of(fd);
  if (entry == NULL) {
    pthread_mutex_unlock(&mutex);
    return real_writev(fd, parts, count);
  }
  ssize_t sum = 0;
  for (int part = 0; part < count; part++) {
    ssize_t done = write_ours(entry, fd, parts[part].iov_base, parts[part].iov_len, 0, 0);
    if (done < 0 && sum == 0) sum = -1;
    if (done < 0) break;
    sum += done;
    if ((size_t)done < parts[part].iov_len) break;
  }
  pthread_mutex_unlock(&mutex);
  return sum;
}

ssize_t read(int fd, void *bytes, size_t count) {
  pthread_mutex_lock(&mutex);
  struct entry *entry = entry_of(fd);
  int bad = entry != NULL && fails(OP_READ, entry->is_log);
  pthread_mutex_unlock(&mutex);
  return bad ? -1 : real_read(fd, bytes, count);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) {
  pthread_mutex_lock(&mutex);
  struct entry *entry = entry_of(fd);
  int bad = entry != NULL && fails(OP_READ, entry->is_log);
  pthread_mutex_unlock(&mutex);
  return bad ? -1 : real_pread64(fd, bytes, count, at);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t at) {
  if (fd >= 0 && root_length > 0) {
    pthread_mutex_lock(&mutex);
    struct entry *entry = entry_of(fd);
    int bad = entry != NULL && fails(OP_MAP, entry->is_log);
    pthread_mutex_unlock(&mutex);
    if (bad) return MAP_FAILED;
  }
  return real_mmap64(address, length, protection, flags, fd, at);
}

static int sync_ours(int fd, int (*real)(int)) {
  pthread_mutex_lock(&mutex);
  struct entry *entry = entry_of(fd);
  if (entry == NULL) {
    pthread_mutex_unlock(&mutex);
    return real(fd);
  }
  int result = 0;
  count_change();
  control->syncs++;
  if (fails(OP_SYNC, entry->is_log)) {
    // The kernel tells of lost pages once, and keeps them as if they were clean.
    if (entry->object != NULL) {
      entry->object->is_dirty = 0;
      struct stat status;
      if (fstat(fd, &status) == 0) entry->object->dirty_from = status.st_size;
    }
    result = -1;
  } else if (!has_shadow) {
    result = real(fd);
  } else {
    if (!by_folder) flush_names();
    else if (entry->folder != NULL) flush_names_of(entry->folder);
    if (entry->object != NULL) flush_data(entry->object, fd, 0);
    count_change();
  }
  pthread_mutex_unlock(&mutex);
  return result;
}

int fsync(int fd) { return sync_ours(fd, real_fsync); }
int fdatasync(int fd) { return sync_ours(fd, real_fdatasync); }

int ftruncate64(int fd, off64_t length) {
  pthread_mutex_lock(&mutex);
  struct entry *entry = entry_of(fd);
  if (entry != NULL && entry->object != NULL) {
    count_change();
    if (!entry->object->is_dirty || length < entry->object->dirty_from) entry->object->dirty_from = length;
    entry->object->is_dirty = 1;
  }
  pthread_mutex_unlock(&mutex);
  return real_ftruncate64(fd, length);
}

int ftruncate(int fd, off_t length) __attribute__((alias("ftruncate64")));

// ---- names -------------------------------------------------------------------------------------------------------

int rename(const char *from, const char *to) {
  if (!is_ours(from) || !is_ours(to)) return real_rename(from, to);
  pthread_mutex_lock(&mutex);
  count_change();
  int result = -1;
  if (!fails(OP_RENAME, is_log(from))) {
    struct stat status;
    int is_folder = stat(from, &status) == 0 && S_ISDIR(status.st_mode);
    if (!is_folder && stat(from, &status) == 0) object_at(from);
    result = real_rename(from, to);
    if (result == 0) {
      if (is_folder) move_names(from, to);
      else {
        struct object *object = object_at(from);
        forget(from);
        bind_name(to, object);
      }
      add_change(RENAME, 0, from, to);
      // What is noted of the files in it goes by their names.
      if (is_folder && by_folder) flush_names();
      maybe_flush_names();
    }
  }
  pthread_mutex_unlock(&mutex);
  return result;
}

int link(const char *from, const char *to) {
  if (!is_ours(from) || !is_ours(to)) return real_link(from, to);
  pthread_mutex_lock(&mutex);
  count_change();
  int result = -1;
  if (!fails(OP_MAKE, is_log(from))) {
    struct stat status;
    struct object *object = stat(from, &status) == 0 ? object_at(from) : NULL;
    result = real_link(from, to);
    if (result == 0 && object != NULL) {
      bind_name(to, object);
      add_change(LINK, object->id, from, to);
      maybe_flush_names();
    }
  }
  pthread_mutex_unlock(&mutex);
  return result;
}

int unlink(const char *path) {
  if (!is_ours(path)) return real_unlink(path);
  pthread_mutex_lock(&mutex);
  count_change();
  int result = -1;
  if (!fails(OP_UNLINK, is_log(path))) {
    struct stat status;
    int known = stat(path, &status) == 0;
    result = real_unlink(path);
    if (result == 0) {
      if (known && status.st_nlink == 1 && control->space >= 0) control->space += status.st_size;
      forget(path);
      add_change(UNLINK, 0, NULL, path);
      maybe_flush_names();
    }
  }
  pthread_mutex_unlock(&mutex);
  return result;
}

int mkdir(const char *path, mode_t mode) {
  if (!is_ours(path)) return real_mkdir(path, mode);
  pthread_mutex_lock(&mutex);
  count_change();
  int result = fails(OP_MAKE, 0) ? -1 : real_mkdir(path, mode);
  if (result == 0) add_change(MKDIR, 0, NULL, path);
  pthread_mutex_unlock(&mutex);
  return result;
}

int rmdir(const char *path) {
  if (!is_ours(path)) return real_rmdir(path);
  pthread_mutex_lock(&mutex);
  count_change();
  int result = real_rmdir(path);
  if (result == 0) add_change(RMDIR, 0, NULL, path);
  pthread_mutex_unlock(&mutex);
  return result;
}

// ---- streams: the C library's own calls inside of them do not come past us -------------------------------------

static ssize_t stream_read(void *cookie, char *bytes, size_t count) { return read((int)(intptr_t)cookie, bytes, count); }

static ssize_t stream_write(void *cookie, const char *bytes, size_t count) {
  ssize_t done = write((int)(intptr_t)cookie, bytes, count);
  return done < 0 ? 0 : done;
}

static int stream_seek(void *cookie, off64_t *at, int whence) {
  off64_t result = lseek64((int)(intptr_t)cookie, *at, whence);
  if (result < 0) return -1;
  *at = result;
  return 0;
}

static int stream_close(void *cookie) {
  int fd = (int)(intptr_t)cookie;
  pthread_mutex_lock(&mutex);
  for (struct stream **at = &streams; *at != NULL; at = &(*at)->next) {
    if ((*at)->fd != fd) continue;
    struct stream *gone = *at;
    *at = gone->next;
    free(gone);
    break;
  }
  pthread_mutex_unlock(&mutex);
  return close(fd);
}

FILE *fopen64(const char *path, const char *mode) {
  if (!is_ours(path)) return real_fopen64(path, mode);
  int flags = mode[0] == 'r' ? O_RDONLY : O_WRONLY | O_CREAT | (mode[0] == 'w' ? O_TRUNC : O_APPEND);
  int fd = open_ours(path, flags, 0666);
  if (fd < 0) return NULL;
  FILE *file = fopencookie((void *)(intptr_t)fd, mode,
                           (cookie_io_functions_t){stream_read, stream_write, stream_seek, stream_close});
  if (file == NULL) fatal("fopencookie");
  // LevelDB writes through this buffer: as large as the C library's own.
  setvbuf(file, NULL, _IOFBF, 4096);
  struct stream *stream = malloc(sizeof *stream);
  pthread_mutex_lock(&mutex);
  *stream = (struct stream){streams, file, fd};
  streams = stream;
  pthread_mutex_unlock(&mutex);
  return file;
}

FILE *fopen(const char *path, const char *mode) __attribute__((alias("fopen64")));

int fileno(FILE *file) {
  int fd = -1;
  pthread_mutex_lock(&mutex);
  for (struct stream *at = streams; at != NULL && fd < 0; at = at->next)
    if (at->file == file) fd = at->fd;
  pthread_mutex_unlock(&mutex);
  return fd >= 0 ? fd : real_fileno(file);
}
