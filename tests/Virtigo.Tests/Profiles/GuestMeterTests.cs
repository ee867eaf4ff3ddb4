using System.Text;
using Virtigo.Host;
using Virtigo.Profiles;
using Virtigo.Tests.Archives;
using Xunit;

namespace Virtigo.Tests.Profiles;

/// <summary>The program that runs in guests, on kernels that are played: which system calls it makes, and how it packs what it hands them.</summary>
public sealed class GuestMeterTests
{
    /// <summary>Takes the place of the kernel: names its machine, knows the calls it is told, and prints each with what it was handed.</summary>
    private const string Kernel = """
        BEGIN {
            require POSIX;
            no warnings;
            *POSIX::uname = sub { ('Linux', 'x', '6', '1', MACHINE) };
            *CORE::GLOBAL::syscall = sub {
                my $number = $_[0];
                my $known = {KNOWN}->{$number};
                return -1 if !$known;
                my ($form, $what, $length) = @$known;
                if ($what eq 'time') {
                    $_[2] = pack $form, 1000, 7;
                } else {
                    my @given = unpack $form, $_[-1];
                    print join(' ', $number, length $_[-1], @given), "\n";
                }
                return 0;
            };
        }
        END { print 'now ', main::now(), "\n" if !$?; }
        """;

    private const string Long = "'L x4 q q q q l x4 q q q q q q'";
    private const string Short = "'L l11'";

    [Theory]
    [InlineData("x86_64", "228 => ['qq', 'time'], 159 => [" + Long + ", 'step']", "159 208")]
    [InlineData("aarch64", "113 => ['qq', 'time'], 171 => [" + Long + ", 'step']", "171 208")]
    [InlineData("i686", "403 => ['qq', 'time'], 405 => [" + Long + ", 'step'], 265 => ['ll', 'time'], 124 => [" + Short + ", 'step']", "405 208")]
    [InlineData("i686", "265 => ['ll', 'time'], 124 => [" + Short + ", 'step']", "124 128")]
    [InlineData("armv7l", "403 => ['qq', 'time'], 405 => [" + Long + ", 'step']", "405 208")]
    [InlineData("armv7l", "263 => ['ll', 'time'], 124 => [" + Short + ", 'step']", "124 128")]
    public void The_time_is_read_and_moved_as_the_kernel_of_each_machine_has_it(string machine, string known, string call)
    {
        string kernel = Kernel.Replace("MACHINE", $"'{machine}'", StringComparison.Ordinal).Replace("KNOWN", known, StringComparison.Ordinal);
        string command = GuestMeter.Command("step-clock", "-1500000000").Replace("perl -e ", $"perl -e {ShellQuote.Word(kernel)} -e ", StringComparison.Ordinal);

        string said = Encoding.UTF8.GetString(TestArchiveTools.Run("sh", Encoding.UTF8.GetBytes(command)));

        // Modes: an offset, in nanoseconds; half a second less than two seconds back.
        Assert.Equal($"{call} {0x2100} 0 0 0 0 0 0 0 0 -2 500000000 0\nnow 1000000000007\n", said);
    }

    [Fact]
    public void A_kernel_that_knows_neither_call_is_a_failure()
    {
        string kernel = Kernel.Replace("MACHINE", "'i686'", StringComparison.Ordinal).Replace("KNOWN", "", StringComparison.Ordinal);
        string command = GuestMeter.Command("step-clock", "1").Replace("perl -e ", $"perl -e {ShellQuote.Word(kernel)} -e ", StringComparison.Ordinal) + " 2>&1 || echo \"ended with $?\"";
        Assert.Matches("adjtimex: .*\nended with [1-9]", Encoding.UTF8.GetString(TestArchiveTools.Run("sh", Encoding.UTF8.GetBytes(command))));
    }
}
