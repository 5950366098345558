/* The helpers of the kernel that are used here, by their numbers (include/uapi/linux/bpf.h, ___BPF_FUNC_MAPPER). */
#ifndef LEARN_HELPERS_H
#define LEARN_HELPERS_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef long long __s64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static __attribute__((always_inline)) inline
#define NOINLINE static __attribute__((noinline))
/* Verified once, whoever calls it: the arguments are plain numbers. */
#define GLOBAL __attribute__((noinline))
#define barrier(x) asm volatile("" : "+r"(x))

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static long (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static __u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static __u32 (*const bpf_get_smp_processor_id)(void) = (void *)8;
static __u64 (*const bpf_get_current_pid_tgid)(void) = (void *)14;
/* Its fields are read by READ; those of bpf_get_current_task_btf may be followed directly. */
static void *(*const bpf_get_current_task)(void) = (void *)35;
static long (*const bpf_probe_read_user)(void *to, __u32 size, const void *from) = (void *)112;
static long (*const bpf_probe_read_kernel)(void *to, __u32 size, const void *from) = (void *)113;
static long (*const bpf_probe_read_user_str)(void *to, __u32 size, const void *from) = (void *)114;
static long (*const bpf_probe_read_kernel_str)(void *to, __u32 size, const void *from) = (void *)115;
static long (*const bpf_get_ns_current_pid_tgid)(__u64 device, __u64 inode, void *to, __u32 size) = (void *)120;
static long (*const bpf_ringbuf_output)(void *map, void *data, __u64 size, __u64 flags) = (void *)130;
static __u64 (*const bpf_ringbuf_query)(void *map, __u64 what) = (void *)134;
/* From kernel 5.11 and 5.15 on. */
static void *(*const bpf_get_current_task_btf)(void) = (void *)158;
static void *(*const bpf_task_pt_regs)(void *task) = (void *)175;

#define BPF_ANY 0
#define BPF_NOEXIST 1
#define BPF_RB_NO_WAKEUP 1
#define BPF_RB_FORCE_WAKEUP 2
#define BPF_RB_AVAIL_DATA 0

#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_PERCPU_ARRAY 6
#define BPF_MAP_TYPE_LRU_HASH 9
#define BPF_MAP_TYPE_RINGBUF 27

/* Maps are described by types (libbpf's convention for the section .maps). */
#define MAP_NUMBER(name, value) int(*name)[value]
#define MAP_TYPE(name, type) type *name
#define MAP(name_, type_, key_, value_, entries_)                                                                             \
    struct {                                                                                                                  \
        MAP_NUMBER(type, type_);                                                                                              \
        MAP_TYPE(key, key_);                                                                                                  \
        MAP_TYPE(value, value_);                                                                                              \
        MAP_NUMBER(max_entries, entries_);                                                                                    \
    } name_ SEC(".maps")

/* Reads a field through the kernel's own layout: the loader puts in the offset that this kernel has. */
#define READ(to, field) bpf_probe_read_kernel(&(to), sizeof(to), __builtin_preserve_access_index(&(field)))

/* Whether this kernel has the helper of that name (include/uapi/linux/bpf.h). */
enum bpf_func_id___wanted { BPF_FUNC_get_current_task_btf___wanted = 1, BPF_FUNC_task_pt_regs___wanted };
#define HAS(helper) __builtin_preserve_enum_value(*(enum bpf_func_id___wanted *)BPF_FUNC_##helper##___wanted, 0)

/* Whether this kernel has a field (BPF_FIELD_EXISTS). */
#define EXISTS(type, field) __builtin_preserve_field_info(((type *)0)->field, 2)

/* Where this kernel has a field, in bytes (BPF_FIELD_BYTE_OFFSET). */
#define OFFSET(type, field) __builtin_preserve_field_info(((type *)0)->field, 0)

#endif
