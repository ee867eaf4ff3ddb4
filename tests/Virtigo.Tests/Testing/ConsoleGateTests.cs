using System.Text;
using CsCheck;
using Virtigo.Testing;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Testing;

public sealed class ConsoleGateTests
{
    [Theory]
    [InlineData("[    1.234567] Kernel panic - not syncing: VFS: Unable to mount root fs", "a kernel panic")]
    [InlineData("[   12.0] BUG: unable to handle page fault for address: ffffdead", "a bug in the kernel")]
    [InlineData("kernel BUG at mm/slub.c:379!", "a bug in the kernel")]
    [InlineData("[   12.0] Oops: 0002 [#1] PREEMPT SMP NOPTI", "a kernel oops")]
    [InlineData("[   12.0] Oops: general protection fault, probably for non-canonical address: 0000 [#1]", "a kernel oops")]
    [InlineData("[   99.1] Out of memory: Killed process 812 (stress) total-vm:1kB", "a process killed for want of memory")]
    [InlineData("[   99.1] stress invoked oom-killer: gfp_mask=0x140dca", "a process killed for want of memory")]
    [InlineData("[  242.9] INFO: task jbd2/vda1-8:142 blocked for more than 120 seconds.", "a task that hangs")]
    [InlineData("[    5.1] systemd[1]: a.service: Found ordering cycle on b.service/start", "units that wait for each other")]
    [InlineData("[   31.4] a.out[733]: segfault at 0 ip 0000558e9bc2 sp 00007ffd error 6 in a.out", "a crashed program")]
    [InlineData("[   31.4] traps: a.out[733] trap invalid opcode ip:5581 sp:7ffe error:0", "a crashed program")]
    [InlineData("watchdog: BUG: soft lockup - CPU#0 stuck for 22s!", null)]
    [InlineData("[    0.0] Linux version 6.12", null)]
    [InlineData("server login: ", null)]
    public void Lines_of_trouble_are_known(string line, string? trouble) => Assert.Equal(trouble, ConsoleGate.TroubleIn(line));

    [Fact]
    public async Task A_machine_that_is_switched_on_again_is_watched_again()
    {
        var consoles = new Queue<string>(["all is well\n", "Kernel panic - not syncing"]);
        await using var gate = new ConsoleGate(["server"],
            _ => consoles.TryDequeue(out string? said) ? new MemoryStream(Encoding.UTF8.GetBytes(said)) : null, [], TimeProvider.System);
        ConsoleTrouble trouble = await gate.Tripped.WaitAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
        Assert.Equal(new ConsoleTrouble("server", "a kernel panic", "Kernel panic - not syncing"), trouble);
    }

    [Fact]
    public void A_line_without_end_hides_nothing()
    {
        var heard = new List<string>();
        var lines = new ConsoleLines();
        byte[] flood = Encoding.ASCII.GetBytes(new string('x', 4085) + "Kernel panic - not syncing" + new string('y', 10_000));
        lines.Feed(flood, heard.Add);
        Assert.Contains(heard, line => ConsoleGate.TroubleIn(line) is not null);
        Assert.All(heard, line => Assert.InRange(line.Length, 1, ConsoleLines.MaximumLength));
    }

    [Fact]
    public void Any_bytes_in_any_pieces_give_bounded_printable_lines_and_no_trouble_is_lost()
    {
        Gen<byte[]> piece = Gen.OneOf(
            Gen.Byte.Array[0, 300],
            Golden.Pieces("\r\n", "\n", "BUG: ", "Kernel panic", "\u001b[31m", "segfault at 0 ip ", "INFO: task ").Select(Encoding.UTF8.GetBytes),
            Gen.Int[0, 6000].Select(length => new byte[length]));
        Gen.Select(piece.Array[0, 12], piece.Array[0, 12], Gen.Int[1, 700]).Sample((before, after, size) =>
        {
            byte[] bytes = [.. before.SelectMany(part => part), .. "\nKernel panic - not syncing: x\n"u8.ToArray(), .. after.SelectMany(part => part)];
            var heard = new List<string>();
            var lines = new ConsoleLines();
            foreach (byte[] chunk in bytes.Chunk(size))
            {
                lines.Feed(chunk, heard.Add);
            }

            lines.Finish(heard.Add);
            return heard.All(line => line.Length <= ConsoleLines.MaximumLength && !line.Any(char.IsControl))
                && heard.Any(line => ConsoleGate.TroubleIn(line) is not null);
        }, iter: 300);
    }
}
