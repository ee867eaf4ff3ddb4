using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Xml.Linq;
using CsCheck;
using Virtigo.Testing;
using Xunit;

namespace Virtigo.Tests.Testing;

public sealed class TestReportTests
{
    private static StepReport Step(int number, StepOutcome outcome, string output = "", string error = "") =>
        new(number, $"client: curl # {number}", $"shop.yml:{10 + number}:7", ["client"], outcome, TimeSpan.FromMilliseconds(250 * number)) { Output = output, Error = error };

    private static TestAttempt Attempt(int number, TestFailure? failure, params StepReport[] steps) =>
        new(number, TimeSpan.FromMilliseconds(180), TimeSpan.FromSeconds(1.5), steps, failure) { Seed = 70 + (ulong)number };

    private static TestFailure Failure(bool ofMachine = false) => new("client: exit code 22, expected 0.")
    {
        Step = 2,
        Place = "shop.yml:12:7",
        OfMachine = ofMachine,
        Consoles = [new ConsoleExcerpt("client", ["client login: \u001b[0m"])],
        ToLookInside = ["virtigo test shop.yml --filter page --keep-on-failure", "virtigo shell client"],
    };

    private static TestReport Report()
    {
        StepReport[] failed = [Step(1, StepOutcome.Passed, "ok\n"), Step(2, StepOutcome.Failed, "a\u0000b\u001b[31m\n", "curl: (22)\n"), Step(3, StepOutcome.NotRun)];
        return new TestReport("shop.yml", new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero), TimeSpan.FromSeconds(12.345), 7,
        [
            new("passes", 9, 1, TestOutcome.Passed, 1, [Attempt(1, null, Step(1, StepOutcome.Passed, "fine\n"))]),
            new("fails <&> \"it\"", 11, 1, TestOutcome.Failed, 2, [Attempt(1, Failure(), failed) with { ArtifactsFolder = "/tmp/out/fails" }]),
            new("loses a machine", 15, 1, TestOutcome.Failed, 3, [Attempt(1, Failure(ofMachine: true), failed)]),
            new("flaky", 19, 2, TestOutcome.Flaky, 4, [Attempt(1, Failure(), failed), Attempt(2, null, Step(1, StepOutcome.Passed))]) { Repetitions = 3, Note = "passed in attempt 2, failed before" },
            new("covered", 23, 1, TestOutcome.Quarantined, 5, [Attempt(1, Failure(), failed)]) { Note = "quarantined until 2030-01-31: bug #7" },
            new("never", 27, 1, TestOutcome.Skipped, 6, []) { Note = "the run ended first" },
        ])
        {
            Ended = "the time for all tests passed",
            TimedOut = true,
            Properties = new Dictionary<string, string> { ["host"] = "2 processors" },
        };
    }

    [Fact]
    public void JUnit_is_as_written_down_and_is_xml()
    {
        string text = Report().ToJUnit();
        Same("report.xml", text);
        XElement suite = XDocument.Parse(text).Root!.Element("testsuite")!;
        Assert.Equal(("6", "1", "1", "2"), (suite.Attribute("tests")!.Value, suite.Attribute("failures")!.Value, suite.Attribute("errors")!.Value, suite.Attribute("skipped")!.Value));
    }

    [Fact]
    public void Tap_is_as_written_down() => Same("report.tap", Report().ToTap());

    [Fact]
    public void Json_is_as_written_down_and_is_json()
    {
        string text = Report().ToJson();
        Same("report.json", text);
        using JsonDocument read = JsonDocument.Parse(text);
        Assert.Equal("a\u0000b\u001b[31m\n", read.RootElement.GetProperty("tests")[1].GetProperty("attempts")[0].GetProperty("steps")[1].GetProperty("output").GetString());
    }

    [Fact]
    public void Any_output_of_a_guest_makes_good_xml_json_and_tap() =>
        Gen.Select(Gen.String, Gen.String, Gen.Char.Array[0, 20].Select(text => new string(text))).Sample((output, title, message) =>
        {
            var step = new StepReport(1, title, "shop.yml:1:1", [], StepOutcome.Failed, TimeSpan.Zero) { Output = output, Error = message };
            var report = new TestReport("shop.yml", DateTimeOffset.UnixEpoch, TimeSpan.Zero, 1,
                [new("one", 1, 1, TestOutcome.Failed, 1, [Attempt(1, new TestFailure(message) { Step = 1 }, step)])]);
            _ = XDocument.Parse(report.ToJUnit());
            using JsonDocument json = JsonDocument.Parse(report.ToJson());
            string[] tap = report.ToTap().Split('\n');
            return tap[0] == "TAP version 14" && tap.Count(line => line.StartsWith("not ok 1 - one", StringComparison.Ordinal)) == 1
                && tap.Where(line => line.Length > 0).All(line => line[0] is 'T' or '1' or '#' or ' ' or 'n');
        }, iter: 500);

    [Fact]
    public void Text_that_xml_can_hold_is_left_alone_and_the_rest_is_shown() =>
        Gen.Char.Array[0, 30].Select(text => new string(text)).Sample(text =>
        {
            string escaped = XmlText.Escape(text);
            return System.Xml.XmlConvert.VerifyXmlChars(escaped) == escaped && XmlText.Escape(escaped) == escaped
                && (escaped == text || escaped.Contains('\\'));
        });

    [Fact]
    public void Characters_beyond_sixteen_bits_stay_and_halves_of_them_are_shown() =>
        Assert.Equal("😀 \\ud83d \\x1b \\x7f\t\n", XmlText.Escape("😀 \ud83d \u001b \u007f\t\n"));

    /// <summary>Compares with a golden file; with VIRTIGO_WRITE_GOLDEN=1 in the environment, writes it instead.</summary>
    private static void Same(string name, string actual, [CallerFilePath] string here = "")
    {
        string path = Path.Combine(Path.GetDirectoryName(here)!, "golden", name);
        if (Environment.GetEnvironmentVariable("VIRTIGO_WRITE_GOLDEN") == "1")
        {
            File.WriteAllText(path, actual);
        }

        Assert.Equal(File.ReadAllText(path), actual);
    }
}
