using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Virtigo.Host;

/// <summary>
/// Writes one folder per failure below <see cref="HostPaths.Reports"/>, readable by its owner only, without secrets, whole or not at all,
/// and removes the oldest ones beyond a number.
/// </summary>
internal sealed class FailureReportWriter(HostPaths paths, TimeProvider clock, int keep = 20)
{
    private const UnixFileMode OwnerFolder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const string Unfinished = ".unfinished-";
    private const int MaximumFileBytes = 8 * 1024 * 1024;
    private const int MaximumConsoleLines = 200;
    private const int MaximumNameLength = 40;

    /// <summary>Writes a report.</summary>
    /// <param name="report">What is known.</param>
    /// <param name="files">Logs and texts to keep beside it; of a long file the end is kept.</param>
    /// <param name="secrets">What must not be in any of it.</param>
    /// <param name="cancellationToken">Ends the writing; no folder remains.</param>
    /// <returns>The report's folder.</returns>
    public async Task<string> WriteAsync(
        FailureReport report, IReadOnlyList<ReportFile> files, IReadOnlyCollection<string> secrets, CancellationToken cancellationToken)
    {
        var redactor = new Redactor(secrets);
        Directory.CreateDirectory(paths.Reports, OwnerFolder);
        DateTimeOffset now = clock.GetLocalNow();
        string unfinished = Path.Combine(paths.Reports, Unfinished + Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(unfinished, OwnerFolder);
        try
        {
            IReadOnlyList<string> kept = await KeepAsync(unfinished, files, redactor, cancellationToken);
            FailureReport safe = Redacted(report, redactor);
            await WriteAsync(Path.Combine(unfinished, "report.json"), Json(safe, now, kept), cancellationToken);
            await WriteAsync(Path.Combine(unfinished, "report.txt"), Encoding.UTF8.GetBytes(Text(safe, now, kept)), cancellationToken);
            string folder = Publish(unfinished, $"{now:yyyyMMdd-HHmmss}-{FolderName(safe.Name)}");
            RemoveOldest();
            return folder;
        }
        finally
        {
            if (Directory.Exists(unfinished))
            {
                Directory.Delete(unfinished, recursive: true);
            }
        }
    }

    private static FailureReport Redacted(FailureReport report, Redactor redactor) => report with
    {
        Name = redactor.Redact(report.Name),
        Cause = redactor.Redact(report.Cause),
        Hint = report.Hint is { } hint ? redactor.Redact(hint) : null,
        Rerun = redactor.Redact(report.Rerun),
        Stage = report.Stage is { } stage ? redactor.Redact(stage) : null,
        HypervisorCommand = report.HypervisorCommand is { } command ? redactor.Redact(command) : null,
        LastConsoleLines = [.. report.LastConsoleLines.TakeLast(MaximumConsoleLines).Select(redactor.Redact)],
        Facts = report.Facts.ToDictionary(fact => fact.Key, fact => redactor.Redact(fact.Value)),
    };

    private static async Task<IReadOnlyList<string>> KeepAsync(
        string folder, IReadOnlyList<ReportFile> files, Redactor redactor, CancellationToken cancellationToken)
    {
        var kept = new List<string>();
        foreach (ReportFile file in files)
        {
            if (Path.GetFileName(file.Name) != file.Name || file.Name is "" or "." or "..")
            {
                throw new ArgumentException($"\"{file.Name}\" is not a plain file name", nameof(files));
            }

            byte[]? content = file.SourcePath is null
                ? Encoding.UTF8.GetBytes(file.Text ?? "")
                : await EndOfAsync(file.SourcePath, cancellationToken);
            if (content is not null)
            {
                await WriteAsync(Path.Combine(folder, file.Name), redactor.Redact(content), cancellationToken);
                kept.Add(file.Name);
            }
        }

        return kept;
    }

    // A report must come out whatever state the failed build left its files in.
    private static async Task<byte[]?> EndOfAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            long skipped = Math.Max(0, file.Length - MaximumFileBytes);
            file.Position = skipped;
            byte[] content = new byte[Math.Min(file.Length, MaximumFileBytes)];
            int count = await file.ReadAtLeastAsync(content, content.Length, throwOnEndOfStream: false, cancellationToken);

            // A cut line could hold the end of a secret, which would no longer be recognised.
            int start = skipped == 0 ? 0 : Array.IndexOf(content, (byte)'\n', 0, count) + 1;
            return content[start..count];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static byte[] Json(FailureReport report, DateTimeOffset at, IReadOnlyList<string> kept) => JsonSerializer.SerializeToUtf8Bytes(
        new FailureReportDocument(
            1, report.Name, report.Kind.ToString(), (int)report.Kind, report.Cause, report.Hint, report.Rerun, report.Stage,
            Math.Round(report.ElapsedSeconds, 1), at, report.HypervisorCommand, report.LastConsoleLines, report.Facts, kept),
        FailureReportJson.Default.FailureReportDocument);

    private static string Text(FailureReport report, DateTimeOffset at, IReadOnlyList<string> kept)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{report.Name}: {report.Kind} failure at {at:yyyy-MM-dd HH:mm:ss zzz}");
        text.Append(CultureInfo.InvariantCulture, $", after {TimeSpan.FromSeconds(report.ElapsedSeconds):hh\\:mm\\:ss}");
        text.AppendLine(report.Stage is null ? "" : $", in stage \"{report.Stage}\"").AppendLine();
        text.AppendLine("Cause:").AppendLine(report.Cause).AppendLine();
        if (report.Hint is not null)
        {
            text.AppendLine("What to do:").AppendLine(report.Hint).AppendLine();
        }

        text.AppendLine("To run it again:").AppendLine(report.Rerun).AppendLine();
        if (report.HypervisorCommand is not null)
        {
            text.AppendLine("The hypervisor was started with:").AppendLine(report.HypervisorCommand).AppendLine();
        }

        foreach ((string name, string value) in report.Facts)
        {
            text.Append(name).Append(": ").AppendLine(value);
        }

        text.Append("Files: ").AppendJoin(", ", kept).AppendLine();
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Last {report.LastConsoleLines.Count} lines of the console:");
        return text.AppendJoin('\n', report.LastConsoleLines).AppendLine().ToString();
    }

    private static string FolderName(string name)
    {
        string plain = new([.. name.Take(MaximumNameLength).Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '-')]);
        return plain.Length == 0 ? "build" : plain;
    }

    private static async Task WriteAsync(string path, byte[] content, CancellationToken cancellationToken)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerFile };
        await using var file = new FileStream(path, options);
        await file.WriteAsync(content, cancellationToken);
    }

    private string Publish(string unfinished, string name)
    {
        for (int number = 1; ; number++)
        {
            string folder = Path.Combine(paths.Reports, number == 1 ? name : $"{name}-{number}");
            try
            {
                Directory.Move(unfinished, folder);
                return folder;
            }
            catch (IOException) when (Directory.Exists(folder))
            {
                // Another failure of the same name in the same second has it.
            }
        }
    }

    private void RemoveOldest()
    {
        RemoveAbandoned();
        IEnumerable<string> old = Directory.EnumerateDirectories(paths.Reports)
            .Where(folder => !Path.GetFileName(folder).StartsWith(Unfinished, StringComparison.Ordinal))
            .OrderByDescending(folder => Path.GetFileName(folder), StringComparer.Ordinal)
            .Skip(keep);
        foreach (string folder in old.ToArray())
        {
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (IOException)
            {
                // Another process removes it just now.
            }
        }
    }

    // Of processes that were killed while they wrote a report; that takes seconds.
    private void RemoveAbandoned()
    {
        DateTime longAgo = clock.GetUtcNow().UtcDateTime - TimeSpan.FromHours(1);
        foreach (string folder in Directory.EnumerateDirectories(paths.Reports, Unfinished + "*").ToArray())
        {
            if (Directory.GetLastWriteTimeUtc(folder) < longAgo)
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }
}
