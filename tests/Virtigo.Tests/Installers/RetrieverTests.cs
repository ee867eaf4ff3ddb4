using System.Diagnostics;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class RetrieverTests : IDisposable
{
    private const UnixFileMode Executable = (UnixFileMode)0x1ED;
    private readonly string _directory = Directory.CreateTempSubdirectory("virtigo-test-").FullName;

    public RetrieverTests()
    {
        string bin = Directory.CreateDirectory(Path.Combine(_directory, "bin")).FullName;
        Program(Path.Combine(bin, "logger"), $"#!/bin/sh\necho \"$*\" >> {_directory}/log\n");
        Program(Script, Retriever.Script);
        string store = Directory.CreateDirectory(Path.Combine(_directory, "store")).FullName;
        File.WriteAllText(Path.Combine(store, "Packages"), "Package: a\nFilename: a_1.udeb\n");
        File.WriteAllText(Path.Combine(store, "a_1.udeb"), "component");
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Script => Path.Combine(_directory, "net-retriever");

    private string Destination => Path.Combine(_directory, "destination");

    private string Log => File.Exists(Path.Combine(_directory, "log")) ? File.ReadAllText(Path.Combine(_directory, "log")) : "";

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task The_shell_finds_no_fault_in_it() => Assert.Equal(0, await RunAsync("-n", Script));

    [Fact]
    public async Task It_hands_over_the_list_of_components()
    {
        Assert.Equal(0, await RunAsync(Script, "packages", Destination));

        Assert.Contains("Package: a", await File.ReadAllTextAsync(Destination, Token), StringComparison.Ordinal);
        Assert.Contains("components are carried in the initial file system: 1", Log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_hands_over_a_component_and_keeps_it(bool destinationExists)
    {
        if (destinationExists)
        {
            await File.WriteAllTextAsync(Destination, "half of something", Token);
        }

        Assert.Equal(0, await RunAsync(Script, "retrieve", "a_1.udeb", Destination));
        Assert.Equal("component", await File.ReadAllTextAsync(Destination, Token));

        File.Delete(Destination);
        Assert.Equal(0, await RunAsync(Script, "retrieve", "a_1.udeb", Destination));
    }

    [Theory]
    [InlineData("b_1.udeb")]
    [InlineData("../log")]
    [InlineData("")]
    public async Task A_component_that_is_not_carried_is_an_error_in_the_log(string name)
    {
        Assert.Equal(1, await RunAsync(Script, "retrieve", name, Destination));

        Assert.Contains($"error: component {name} is not carried", Log, StringComparison.Ordinal);
        Assert.False(File.Exists(Destination));
    }

    [Theory]
    [InlineData(0, "config")]
    [InlineData(0, "cleanup")]
    [InlineData(2, "error", "retrieve")]
    [InlineData(1, "dance")]
    [InlineData(1, "packages")]
    public async Task Every_command_of_the_installer_is_answered(int expected, params string[] arguments) =>
        Assert.Equal(expected, await RunAsync([Script, .. arguments]));

    private static void Program(string path, string text)
    {
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, Executable);
    }

    private async Task<int> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("/bin/sh", arguments) { RedirectStandardError = true };
        start.Environment["PATH"] = $"{_directory}/bin:/usr/bin:/bin";
        start.Environment["VIRTIGO_STORE"] = Path.Combine(_directory, "store");
        using Process process = Process.Start(start)!;
        await process.WaitForExitAsync(Token);
        return process.ExitCode;
    }
}
