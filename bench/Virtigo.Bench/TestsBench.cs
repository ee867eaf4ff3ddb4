using System.Diagnostics;
using System.Globalization;
using Virtigo.Environments;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Machines;

namespace Virtigo.Bench;

/// <summary>
/// A file of ten small tests, each on a fresh machine: forks of ours, against autopkgtest-virt-qemu (which boots the same image for each) and
/// against booting it ourselves. The others are measured over a few tests and counted for ten.
/// </summary>
internal static class TestsBench
{
    private const int Tests = 10;
    private const int Measured = 3;
    private const string Small = "test -s /etc/os-release";

    // What autopkgtest's own setup-testbed puts into an image, so that its driver gets a root shell, and what that driver runs there.
    private const string ForAutopkgtest = """
        set -e
        apt-get -qq -o Acquire::Languages=none update
        DEBIAN_FRONTEND=noninteractive apt-get -qq --no-install-recommends install python3
        cat > /etc/systemd/system/autopkgtest@.service <<'END'
        [Unit]
        Description=autopkgtest root shell on %I
        ConditionPathExists=/dev/%I
        [Service]
        ExecStart=/bin/sh
        StandardInput=tty-fail
        StandardOutput=tty
        StandardError=tty
        TTYPath=/dev/%I
        SuccessExitStatus=0 208 SIGHUP SIGINT SIGTERM SIGPIPE
        [Install]
        WantedBy=multi-user.target
        END
        systemctl enable --quiet autopkgtest@ttyS1.service autopkgtest@hvc1.service
        """;

    // It asks for KVM wherever there is a device of that name; ours was measured under emulation, and so must it be.
    private const string Emulated = """
        #!/bin/bash
        arguments=()
        for argument; do [[ $argument == -enable-kvm ]] || arguments+=("$argument"); done
        exec qemu-system-x86_64 -accel tcg "${arguments[@]}"
        """;

    /// <summary>Measures all three.</summary>
    /// <param name="command">The published command.</param>
    /// <param name="appliance">The appliance's file.</param>
    public static async Task RunAsync(string command, string appliance)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtigo-bench");
        try
        {
            string file = Path.Combine(folder.FullName, "ten.yml");
            await File.WriteAllLinesAsync(file,
            [
                "machines:", $"  m: {{appliance: {Path.GetFullPath(appliance)}, memory: 512MiB}}", "tests:",
                .. Enumerable.Range(1, Tests).Select(number => string.Create(CultureInfo.InvariantCulture, $"  test {number}: [m: {Small}]")),
            ]);
            double first = (await CommandBench.TimeAsync(command, "test", file)).TotalSeconds;
            double second = (await CommandBench.TimeAsync(command, "test", file)).TotalSeconds;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"virtigo test, {Tests} tests: {second:0.0} s ({first:0.0} s the first time, which boots the environment unless it was saved before)"));

            double plain = Tests * await BootedAsync(appliance, folder);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"a boot for each of {Tests} tests: {plain:0} s; ratio {second / plain:0.000}, {plain / second:0.0} times as fast"));

            double others = Tests * await AutopkgtestAsync(folder);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"autopkgtest-virt-qemu, open and revert for each of {Tests} tests: {others:0} s; ratio {second / others:0.000}, {others / second:0.0} times as fast"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The seconds of one test that boots its machine; leaves an image prepared for autopkgtest in the folder.</summary>
    private static async Task<double> BootedAsync(string appliance, DirectoryInfo folder)
    {
        string file = Path.Combine(folder.FullName, "boots.yml");
        await File.WriteAllTextAsync(file, $"machines:\n  m: {{appliance: {Path.GetFullPath(appliance)}, memory: 512MiB}}\negress: archives\n");
        await using VirtualEnvironment environment = await VirtualEnvironment.FromFile(file).StartAsync();
        Machine machine = environment["m"];
        double total = 0;
        for (int run = 0; run < Measured; run++)
        {
            await machine.PowerCutAsync(CancellationToken.None);
            long start = Stopwatch.GetTimestamp();
            await machine.StartAsync(CancellationToken.None);
            await machine.RunAsync(Small, CancellationToken.None);
            total += Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        await machine.RunAsync(ForAutopkgtest, CancellationToken.None);
        await machine.ShutdownAsync(CancellationToken.None);
        string disk = environment.Folder.Disk(environment.Plan.Machines[0]);
        await QemuImage.RunAsync(["convert", "-O", "qcow2", disk, ImageOf(folder)], "The image for autopkgtest cannot be made.", null, CancellationToken.None);
        return total / Measured;
    }

    /// <summary>The seconds of one test: a revert, which boots the image anew, and the test's command.</summary>
    private static async Task<double> AutopkgtestAsync(DirectoryInfo folder)
    {
        HostTools.Require("autopkgtest-virt-qemu");
        string emulator = Path.Combine(folder.FullName, "qemu-emulated");
        await File.WriteAllTextAsync(emulator, Emulated);
        File.SetUnixFileMode(emulator, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using Process driver = Process.Start(new ProcessStartInfo("autopkgtest-virt-qemu",
            ["--timeout-reboot", "1200", "--ram-size", "512", "--cpus", "1", "--qemu-command", emulator, $"--qemu-options=-cpu {GuestPlatform.EmulatedProcessor}",
                "-o", folder.CreateSubdirectory("autopkgtest").FullName, ImageOf(folder)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        try
        {
            await ExpectAsync(driver, null);
            await ExpectAsync(driver, "open");
            double total = 0;
            for (int run = 0; run < Measured; run++)
            {
                long start = Stopwatch.GetTimestamp();
                await ExpectAsync(driver, "revert");
                string[] inside = [.. (await ExpectAsync(driver, "print-execute-command")).Split(' ')[0].Split(',').Select(Uri.UnescapeDataString)];
                await CommandBench.TimeAsync(inside[0], [.. inside[1..], "sh", "-c", Small]);
                total += Stopwatch.GetElapsedTime(start).TotalSeconds;
            }

            await ExpectAsync(driver, "quit", answered: false);
            await driver.WaitForExitAsync();
            return total / Measured;
        }
        finally
        {
            driver.Kill(entireProcessTree: true);
        }
    }

    private static async Task<string> ExpectAsync(Process driver, string? command, bool answered = true)
    {
        if (command is not null)
        {
            await driver.StandardInput.WriteLineAsync(command);
            await driver.StandardInput.FlushAsync();
        }

        string? answer = answered ? await driver.StandardOutput.ReadLineAsync() : "ok";
        return answer is not null && answer.StartsWith("ok", StringComparison.Ordinal) ? answer[2..].Trim()
            : throw new VirtigoException(FailureKind.Host, $"autopkgtest-virt-qemu answered \"{answer}\" to {command ?? "its start"}.");
    }

    private static string ImageOf(DirectoryInfo folder) => Path.Combine(folder.FullName, "autopkgtest.qcow2");
}
