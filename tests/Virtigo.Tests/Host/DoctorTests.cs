using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Host;

public sealed class DoctorTests
{
    private static readonly HostPaths Paths = new("/home/u/cache", "/home/u/data", "/home/u/state", "/home/u/config", "/run/user/1000/virtigo");

    [Fact]
    public async Task A_host_that_has_everything_needs_nothing()
    {
        IReadOnlyList<HostFinding> findings = await RunAsync(new FakeHost());
        Assert.All(findings, finding => Assert.Equal((HostVerdict.Ok, null), (finding.Verdict, finding.Mend)));
        Assert.Contains(findings, finding => finding.Detail.Contains("version 7.2.22", StringComparison.Ordinal));
        Assert.Equal(findings.Count, findings.Select(finding => finding.Name).Distinct().Count());
    }

    [Theory]
    [InlineData("ID=debian\n", false, "sudo apt-get install -y qemu-utils")]
    [InlineData("NAME=x\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", false, "sudo apt-get install -y qemu-utils")]
    [InlineData("ID=ubuntu\n", true, "apt-get install -y qemu-utils")]
    [InlineData("ID=fedora\n", false, "sudo dnf install -y qemu-img")]
    [InlineData("ID=arch\n", false, "sudo pacman -S --needed qemu-img")]
    public async Task A_missing_tool_is_mended_by_the_hosts_own_package_manager(string release, bool root, string command)
    {
        var host = new FakeHost { IsRoot = root, Texts = { ["/etc/os-release"] = release } };
        host.Tools.Remove("qemu-img");
        HostFinding finding = await FindAsync(host, "qemu-img");
        Assert.Equal((HostVerdict.Missing, command), (finding.Verdict, finding.Mend));
    }

    [Fact]
    public async Task An_unknown_distribution_is_told_what_to_look_for()
    {
        var host = new FakeHost { Texts = { ["/etc/os-release"] = "ID=nixos\n" } };
        host.Tools.Remove("gpgv");
        Assert.Contains("package manager", (await FindAsync(host, "gpgv")).Mend, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("QEMU emulator version 6.2.0 (Debian)", 0, "stream\n", "6.2.0; 7.2 or newer is needed")]
    [InlineData("QEMU emulator version 8.0.0", 1, "", "no seccomp sandbox")]
    [InlineData("QEMU emulator version 8.0.0", 0, "user\ntap\n", "lacks the network back-end")]
    [InlineData("", 0, "stream\n", "does not run")]
    public async Task A_qemu_that_cannot_do_what_is_needed_is_named(string version, int exitCode, string networks, string said)
    {
        HostFinding finding = await FindAsync(
            new FakeHost { QemuVersion = version, QemuExitCode = exitCode, Networks = networks }, "qemu-system-x86_64");
        Assert.Equal(HostVerdict.Missing, finding.Verdict);
        Assert.Contains(said, finding.Detail, StringComparison.Ordinal);
        Assert.NotNull(finding.Mend);
    }

    [Fact]
    public async Task Without_kvm_a_build_works_and_the_cost_is_told()
    {
        var host = new FakeHost();
        host.Files.Remove("/dev/kvm");
        HostFinding finding = await FindAsync(host, "accelerator");
        Assert.Equal(HostVerdict.Warning, finding.Verdict);
        Assert.Contains("TCG", finding.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_kvm_of_others_is_mended_by_joining_its_group()
    {
        HostFinding finding = await FindAsync(new FakeHost { Writable = false }, "accelerator");
        Assert.StartsWith("sudo usermod -aG kvm", finding.Mend, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_probe_found_out_counts_more_than_the_device()
    {
        var probed = new HostFinding("accelerator", HostVerdict.Warning, "KVM is there but a guest did not run on it");
        var knowledge = new DoctorKnowledge { Accelerator = _ => Task.FromResult<HostFinding?>(probed) };
        Assert.Same(probed, (await RunAsync(new FakeHost(), knowledge)).Single(finding => finding.Name == "accelerator"));
    }

    [Fact]
    public async Task Without_a_mirror_the_file_to_write_is_named()
    {
        HostFinding finding = (await RunAsync(new FakeHost(), new DoctorKnowledge())).Single(finding => finding.Name == "archive mirror");
        Assert.Equal(HostVerdict.Missing, finding.Verdict);
        Assert.Contains("/home/u/config/config.yml", finding.Mend, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Little_of_anything_is_a_warning_with_the_numbers()
    {
        var host = new FakeHost { Processors = 1, Free = 100L << 20, Texts = { ["/proc/meminfo"] = "MemTotal: 9 kB\nMemAvailable:   524288 kB\n" } };
        Assert.Equal(HostVerdict.Warning, (await FindAsync(host, "processors")).Verdict);
        Assert.Contains("512 MiB", (await FindAsync(host, "memory")).Detail, StringComparison.Ordinal);
        Assert.Contains("100 MiB", (await FindAsync(host, "space for images")).Detail, StringComparison.Ordinal);
        Assert.NotNull((await FindAsync(host, "space for the cache")).Mend);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_written_to_is_missing()
    {
        HostFinding finding = await FindAsync(new FakeHost { Folders = false }, "space for images");
        Assert.Equal(HostVerdict.Missing, finding.Verdict);
        Assert.Contains("VIRTIGO_HOME", finding.Mend, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_folder_too_deep_for_a_socket_is_refused()
    {
        var paths = new HostPaths("/c", "/d", "/s", "/o", "/tmp/" + new string('x', 90));
        IReadOnlyList<HostFinding> findings = await new Doctor(paths, new DoctorKnowledge(), new FakeHost())
            .RunAsync(TestContext.Current.CancellationToken);
        HostFinding finding = findings.Single(finding => finding.Name == "socket folder");
        Assert.Equal(HostVerdict.Missing, finding.Verdict);
        Assert.Contains("128 bytes", finding.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task This_very_host_can_be_looked_at()
    {
        string root = Directory.CreateTempSubdirectory("virtigo-test-").FullName;
        IReadOnlyList<HostFinding> findings = await new Doctor(new HostPaths(root, root, root, root, root))
            .RunAsync(TestContext.Current.CancellationToken);
        Assert.All(findings, finding => Assert.NotEmpty(finding.Detail));
        Assert.Empty(Directory.EnumerateFileSystemEntries(root));
        Directory.Delete(root);
    }

    private static Task<IReadOnlyList<HostFinding>> RunAsync(IHostView host, DoctorKnowledge? knowledge = null) =>
        new Doctor(Paths, knowledge ?? new DoctorKnowledge { Mirror = _ => Task.FromResult<string?>("http://mirror.example/debian") }, host)
            .RunAsync(TestContext.Current.CancellationToken);

    private static async Task<HostFinding> FindAsync(IHostView host, string name) =>
        (await RunAsync(host)).Single(finding => finding.Name == name);

    private sealed class FakeHost : IHostView
    {
        public HashSet<string> Tools { get; } = ["qemu-system-x86_64", "qemu-img", "gpgv", "setpriv"];

        public HashSet<string> Files { get; } = ["/dev/kvm", "/usr/share/keyrings/debian-archive-keyring.gpg"];

        public Dictionary<string, string> Texts { get; } = new()
        {
            ["/etc/os-release"] = "ID=debian\n",
            ["/proc/meminfo"] = "MemTotal: 9 kB\nMemAvailable:   8388608 kB\n",
        };

        public int Processors { get; init; } = 4;

        public bool IsRoot { get; init; }

        public bool Writable { get; init; } = true;

        public bool Folders { get; init; } = true;

        public long Free { get; init; } = 100L << 30;

        public string QemuVersion { get; init; } = "QEMU emulator version 7.2.22 (Debian 1:7.2)";

        public int QemuExitCode { get; init; }

        public string Networks { get; init; } = "Available netdev backend types:\nsocket\nstream\n";

        public string? FindTool(string name) => Tools.Contains(name) ? "/usr/bin/" + name : null;

        public Task<ToolResult> RunToolAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken) =>
            Task.FromResult(arguments is ["--version"]
                ? new ToolResult(0, QemuVersion, "")
                : new ToolResult(QemuExitCode, Networks, QemuExitCode == 0 ? "" : "-sandbox support is not enabled"));

        public string? ReadText(string path) => Texts.GetValueOrDefault(path);

        public bool Exists(string path) => Files.Contains(path);

        public bool CanWrite(string path) => Writable;

        public bool CanMakeFolder(string path) => Folders;

        public long FreeBytes(string path) => Free;
    }
}
