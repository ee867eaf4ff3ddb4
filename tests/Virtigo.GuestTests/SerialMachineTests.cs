using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Virtigo.GuestTests.Hypervisors;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Installers.Debian;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>
/// A real small guest without agent: the installer's kernel, busybox, and a shell on the serial console, once by a getty with terminal control
/// and once as all there is, while the kernel talks on the same console.
/// </summary>
[Collection(KernelGuests.Name)]
public sealed partial class SerialMachineTests(KernelFixture fixture)
{
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(1);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("exec setsid cttyhack /bin/sh")]
    [InlineData("exec /bin/sh")]
    public async Task Commands_run_as_asked_while_the_kernel_talks(string shell)
    {
        await using Machine machine = await StartAsync(shell);
        var options = new CommandOptions
        {
            User = "guest",
            WorkingDirectory = "/tmp",
            Environment = new Dictionary<string, string> { ["GREETING"] = "it's 5 \"o'clock\"\n" },
            Input = "given\n"u8.ToArray(),
        };
        await machine.RunAsync("(while true; do echo '<4>kernel talks' > /dev/kmsg; usleep 50000; done) &", Cancel);
        await machine.WaitForConsoleAsync("kernel talks", null, Cancel);

        Machines.CommandResult result = await machine.ExecuteAsync("id -un; pwd; echo \"$GREETING\"; cat; echo bad >&2; exit 7", options, Cancel);

        // What the kernel says may end the line that says that the command begins.
        Assert.Equal((7, "guest\n/tmp\nit's 5 \"o'clock\"\n\ngiven\nbad\n"), (result.ExitCode, WithoutKernel(result.Output).TrimStart('\n')));
        Assert.Equal("0", WithoutKernel(await machine.RunAsync("id -u", Cancel)).Trim());
        Assert.Equal(3, (await machine.FailAsync("exit 3", Cancel)).ExitCode);
        MachineCommandException failed = await Assert.ThrowsAsync<MachineCommandException>(() => machine.RunAsync("echo no luck >&2; exit 9", Cancel));
        Assert.Contains("exit code 9", failed.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<MachineCommandException>(() => machine.FailAsync("true", Cancel));
        Machines.CommandResult large = await machine.ExecuteAsync("yes 0123456789 | head -n 30000; exit 5", new CommandOptions { OutputLimit = 100_000 }, Cancel);
        Assert.Equal((5, true), (large.ExitCode, large.Truncated));
        Assert.InRange(large.Output.Length, 50_000, 100_000);
        await machine.WaitForFileAsync("/proc/self", null, Cancel);
    }

    [Theory]
    [InlineData("exec setsid cttyhack /bin/sh")]
    [InlineData("exec /bin/sh")]
    [InlineData("rm /bin/setsid; exec /bin/sh")]
    public async Task A_command_over_its_time_is_killed_with_all_it_started(string shell)
    {
        await using Machine machine = await StartAsync(shell);

        VirtigoException late = await Assert.ThrowsAsync<VirtigoException>(() => machine.ExecuteAsync(
            "trap '' INT TERM; echo begun; sleep 4711 & while true; do sleep 4711; done", new CommandOptions { Limit = s_soon }, Cancel));

        Assert.Equal(FailureKind.TimedOut, late.Kind);
        Assert.Contains("begun", late.Message, StringComparison.Ordinal);
        Assert.Equal("", await machine.RunAsync("ps | grep '[s]leep 4711' || true", Cancel));
        using var soon = new CancellationTokenSource(s_soon);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => machine.ExecuteAsync("yes", soon.Token));
        Assert.Equal("fine", await machine.RunAsync("echo fine", Cancel));
    }

    [Fact]
    public async Task It_reboots_and_powers_off_and_says_what_it_cannot_do()
    {
        await using Machine machine = await StartAsync("exec setsid cttyhack /bin/sh");
        await machine.RunAsync("echo lost > /tmp/mark", Cancel);

        await machine.RebootAsync(Cancel);

        Assert.Equal(1, (await machine.FailAsync("test -e /tmp/mark", Cancel)).ExitCode);
        byte[] file = RandomNumberGenerator.GetBytes(2000);
        await machine.RunAsync("cat > /tmp/file", new CommandOptions { Input = file }, Cancel);
        Assert.Equal(Convert.ToBase64String(file), (await machine.RunAsync("base64 -w 0 /tmp/file", Cancel)).Trim());
        foreach (Task refused in (Task[])[
            machine.CopyInAsync(fixture.Kernel, "/tmp/kernel", Cancel), machine.CopyOutAsync("/tmp/file", fixture.At("file"), Cancel),
            machine.StartProcessAsync("true", new CommandOptions(), Cancel), machine.ConnectAsync(80, Cancel)])
        {
            VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => refused);
            Assert.Contains("serial console", error.Message, StringComparison.Ordinal);
            Assert.Contains("agent", error.Hint, StringComparison.Ordinal);
        }

        await machine.ShutdownAsync(Cancel);
        Assert.Equal(MachineState.Off, machine.State);
        await machine.StartAsync(Cancel);
        Assert.Equal("again", WithoutMessages(await machine.RunAsync("echo again", Cancel)));
    }

    [Fact]
    public async Task A_command_that_takes_the_console_away_is_told_and_a_power_cut_mends_it()
    {
        await using Machine machine = await StartAsync("exec /bin/sh");
        await machine.RunAsync("true", Cancel);

        VirtigoException lost = await Assert.ThrowsAsync<VirtigoException>(() => machine.ExecuteAsync(
            "kill -STOP $(cut -d ' ' -f 4 /proc/$PPID/stat); sleep 600", new CommandOptions { Limit = s_soon }, Cancel));

        Assert.Contains("does not answer any more", lost.Message, StringComparison.Ordinal);
        await machine.PowerCutAsync(Cancel);
        await machine.StartAsync(Cancel);
        Assert.Equal("back", WithoutMessages(await machine.RunAsync("echo back", Cancel)));
    }

    // The kernel writes whole lines, wherever others are just writing.
    private static string WithoutKernel(string output) => Talk().Replace(output, "");

    [GeneratedRegex(@"\[ *\d+\.\d+\] kernel talks(\n|$)")]
    private static partial Regex Talk();

    // A kernel that has just booted still says this and that, in lines of its own before the answer.
    private static string WithoutMessages(string output) => Message().Replace(output, "");

    [GeneratedRegex(@"^\[ *\d+\.\d+\] .*\n", RegexOptions.Multiline)]
    private static partial Regex Message();

    private async Task<Machine> StartAsync(string shell)
    {
        string name = "serial-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(3));
        string initrd = fixture.At(name + ".cpio");
        await WriteInitrdAsync(initrd, await fixture.BusyboxAsync(), shell);
        var machine = new Machine(new MachineConfig
        {
            Name = name,
            Hypervisor = new QemuHypervisor(fixture.Paths),
            Control = MachineControl.SerialConsole,
            Guest = new GuestConfig
            {
                Name = name,
                WorkDirectory = fixture.At(name),
                MemoryMiB = 256,
                Kernel = new KernelBoot(fixture.Kernel, initrd, "console=ttyS0 panic=-1 no_timer_check quiet loglevel=7"),
                Serials = [new GuestSerial("console")],
                Accelerator = Accelerator.Tcg,
                RestartOnReset = true,
            },
        });
        await machine.StartAsync(Cancel);
        return machine;
    }

    private static async Task WriteInitrdAsync(string path, byte[] busybox, string shell)
    {
        const UnixFileMode program = (UnixFileMode)0x1ED;
        await using FileStream file = File.Create(path);
        var cpio = new CpioWriter(file);
        foreach (string folder in (string[])["bin", "dev", "etc", "proc", "sys", "tmp"])
        {
            await cpio.WriteDirectoryAsync(folder, program, Cancel);
        }

        await cpio.WriteFileAsync("bin/busybox", program, busybox, Cancel);
        await cpio.WriteFileAsync("etc/passwd", (UnixFileMode)0x1A4, "root:x:0:0::/:/bin/sh\nguest:x:1000:1000::/tmp:/bin/sh\n"u8.ToArray(), Cancel);
        await cpio.WriteFileAsync("init", program, Encoding.ASCII.GetBytes($"""
            #!/bin/busybox sh
            export PATH=/bin HOME=/
            /bin/busybox --install -s /bin
            mount -t proc proc /proc
            mount -t sysfs sys /sys
            mount -t devtmpfs dev /dev
            exec < /dev/ttyS0 > /dev/ttyS0 2>&1
            {shell}

            """), Cancel);
        await cpio.FinishAsync(Cancel);
    }
}
