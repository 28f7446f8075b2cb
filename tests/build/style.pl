# style.pl -- the style rules that a script can check, over the files given; one line per finding, exit status 1.
#
# Paths are relative to the repository, for some rules hold in some folders only. C is looked at without its comments
# and strings where they could deceive.

use strict;
use warnings;

my $FILE_LINES_MAX     = 1000;
my $FUNCTION_LINES_MAX = 70;

# Calls that only engine/io may make: files, clocks, randomness, threads and waits.
my @FILE_CALLS = qw(open openat openat2 creat close read pread readv preadv write pwrite writev pwritev fsync fdatasync
    sync_file_range syncfs ftruncate truncate fallocate posix_fallocate rename renameat renameat2 unlink unlinkat
    mkdir mkdirat rmdir link linkat symlink opendir fdopendir readdir scandir stat fstat lstat fstatat statvfs fstatvfs
    lseek mmap munmap msync flock fcntl ioctl fopen fdopen freopen fread fwrite remove access faccessat);
my @OTHER_CALLS = qw(clock_gettime gettimeofday time nanosleep clock_nanosleep usleep sleep getrandom getentropy random
    rand srand poll ppoll select epoll_wait eventfd futex syscall sched_yield pthread_create pthread_join
    pthread_mutex_lock pthread_mutex_trylock pthread_mutex_unlock pthread_cond_wait pthread_cond_timedwait
    pthread_cond_signal pthread_cond_broadcast pthread_rwlock_rdlock pthread_rwlock_wrlock sem_wait sem_post);
my $CALLS = join '|', @FILE_CALLS, @OTHER_CALLS;

my $findings = 0;

sub report {
    my ($file, $line, $text) = @_;
    print "$file:$line: $text\n";
    $findings++;
}

# Blanks out comments and the insides of strings, keeping every line break.
sub bare_code {
    my ($text) = @_;
    $text =~ s{(/\*.*?\*/|//[^\n]*)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}
              { defined $1 ? $1 =~ s/[^\n]//gr : substr($2, 0, 1) . substr($2, -1) }gsex;
    return $text;
}

# The format puts a function's braces, and nothing else that opens with one, alone in the first column.
sub check_functions {
    my ($file, @lines) = @_;
    my $start;
    for my $i (0 .. $#lines) {
        $start = $i if $lines[$i] =~ /^\{\s*$/;
        next unless defined $start && $lines[$i] =~ /^\}/;
        my $length = $i - $start + 1;
        report($file, $start + 1, "function of $length lines (at most $FUNCTION_LINES_MAX)") if $length > $FUNCTION_LINES_MAX;
        undef $start;
    }
}

sub check_c {
    my ($file, $text) = @_;
    my @lines = split /\n/, $text, -1;
    my @code = split /\n/, bare_code($text), -1;
    my $engine = $file =~ m{^engine/(\w+)/} && $1 !~ /^(io|tool|examples)$/;
    for my $i (0 .. $#lines) {
        if ($lines[$i] =~ m{^\s*#\s*include\s*["<]([^">]*)} && $1 =~ m{(?:^|/)\.\.(?:/|$)}) {
            report($file, $i + 1, "include with '..': name the room instead");
        }
        next unless $engine;
        # A name before makes it a declaration, '.' or '->' a call through a table.
        while ($code[$i] =~ /(?:(\w+)[\s*]+)?(?<![\w.>])($CALLS)\s*\(/g) {
            my ($before, $call) = ($1 // '', $2);
            next if $call =~ /^(mmap|munmap)$/ && $file =~ m{^(.*/)?engine/base/}; # memory without a file behind it
            report($file, $i + 1, "$call() outside engine/io") if $before =~ /^(return|else|do|)$/;
        }
    }
    check_functions($file, @code);
}

sub check_any {
    my ($file, $text) = @_;
    my @lines = split /\n/, $text;
    my $marks = join '|', map { join '', @$_ } ['TO', 'DO'], ['FIX', 'ME'], ['XX', 'X'], ['HA', 'CK'];
    for my $i (0 .. $#lines) {
        report($file, $i + 1, 'blanks at the end of the line') if $lines[$i] =~ /[ \t\r]$/;
        report($file, $i + 1, "$1 without an issue number") if $lines[$i] =~ /\b($marks)\b(?!.*#\d)/;
    }
    report($file, scalar @lines, 'no newline at the end') if length $text && $text !~ /\n\z/;
    report($file, 1, scalar(@lines) . " lines (at most $FILE_LINES_MAX)")
        if $file =~ /\.(c|h|cc|pl|sh|cmake)$/ && @lines > $FILE_LINES_MAX;
}

for my $file (@ARGV) {
    next if $file =~ m{^fuzz/(corpus|regressions)/} || $file =~ m{[.]patch$} || $file eq 'LICENSE' || -B $file && -s $file;
    open my $handle, '<', $file or die "$file: $!\n";
    my $text = do { local $/; <$handle> } // '';
    close $handle;
    check_any($file, $text);
    check_c($file, $text) if $file =~ /\.[ch]$/;
}
exit($findings ? 1 : 0);
